"""The files that are meant by a path: one file, or all of a folder. What leads out of the folder is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from latchpin_config.positions import LARGEST, Node, Place, Problem, Wrong, parse_documents
from latchpin_config.regular_files import NotRegular, read_regular

__all__ = ["ReadFiles", "read_files"]

SUFFIXES = {".yaml", ".yml"}
MOST_FILES = 1_000
MOST_BYTES = 20_000_000
"""Of all files together."""


@dataclass(frozen=True, slots=True)
class ReadFiles:
    """What was read.

    Attributes:
        documents: each with its places.
        problems: what is wrong with files; of such a file no document is there.
    """

    documents: list[Node]
    problems: list[Problem]


def read_files(path: Path) -> ReadFiles:
    """Read a file, or every ``*.yaml`` and ``*.yml`` below a folder, in the order of their names.

    Names that begin with a dot are passed over. A link in a folder must lead to a file of the same folder.
    """
    documents: list[Node] = []
    problems: list[Problem] = []
    count, size = 0, 0
    for file in _files(path, problems):
        count += 1
        try:
            text = _read(file, path)
            size += len(text)
            if count > MOST_FILES or size > MOST_BYTES:
                words = f"there are more than {MOST_FILES:,} files, or more than {MOST_BYTES:,} characters in all"
                problems.append(Problem(Place(str(path)), words))
                break
            documents += parse_documents(text, str(file))
        except Wrong as exc:
            problems.append(exc.problem)
    if not count and not problems:
        problems.append(Problem(Place(str(path)), "there is no *.yaml or *.yml file"))
    return ReadFiles(documents, problems)


def _files(path: Path, problems: list[Problem]) -> Iterator[Path]:
    if path.is_dir():
        yield from _below(path, problems)
    else:
        yield path


def _below(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    def tell(exc: OSError) -> None:
        problems.append(Problem(Place(str(exc.filename)), f"it cannot be read: {exc.strerror}"))

    for where, folders, names in os.walk(folder, onerror=tell):
        linked = [name for name in folders if not name.startswith(".") and (Path(where) / name).is_symlink()]
        problems += [Problem(Place(str(Path(where) / name)), "links to folders are not followed") for name in linked]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in linked)
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(where) / name


def _read(file: Path, root: Path) -> str:
    """The text of a regular file."""
    place = Place(str(file))
    try:
        if file != root and not file.resolve(strict=True).is_relative_to(root.resolve()):
            raise Wrong(place, "it is a link that leads out of the folder")
        raw = read_regular(file, 4 * LARGEST + 1)
        if len(raw) > 4 * LARGEST:
            raise Wrong(place, f"the file has more than {LARGEST:,} characters")
        return raw.decode("utf-8-sig")
    except NotRegular:
        raise Wrong(place, "it is no regular file") from None
    except (OSError, RuntimeError) as exc:
        said = exc.strerror if isinstance(exc, OSError) else "a link that leads to itself"
        raise Wrong(place, f"it cannot be read: {said}") from None
    except UnicodeDecodeError:
        raise Wrong(place, "it is not text in UTF-8") from None
