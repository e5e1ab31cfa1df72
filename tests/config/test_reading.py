"""Files are plain data, and what is wrong with one is said with its line, its column and its key."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from latchpin.contracts import ConfigurationKind
from latchpin_config import positions
from latchpin_config.files import read_files
from latchpin_config.positions import DEEPEST, LARGEST, Wrong, parse_documents, plain_data
from latchpin_config.wanted import build_entry, read_wanted
from pydantic import BaseModel, SecretStr

from tests.config.conftest import problems_of

Write = Callable[[str, str], Path]


def refusal(text: str) -> str:
    with pytest.raises(Wrong) as refused:
        parse_documents(text, "x.yaml")
    return str(refused.value.problem)


def test_words_are_read_as_yaml_1_2_has_them():
    text = "a: no\nb: on\nc: true\nd: ~\ne: '1'\nf: 12\ng: 1.5\nh: 2026-11-30\ni:\n---\n---\n- x\n"
    first, second = (plain_data(each) for each in parse_documents(text, "x.yaml"))
    assert first == {
        "a": "no", "b": "on", "c": True, "d": None, "e": "1", "f": 12, "g": "1.5", "h": "2026-11-30", "i": None
    }  # fmt: skip
    assert second == ["x"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x 1\nb: *x\n", "x.yaml:1:4: anchors"),
        ("a: *x\n", "x.yaml:1:4: aliases"),
        ("&k a: 1\n", "x.yaml:1:1: anchors"),
        ("a: !!python/object/apply:os.system [id]\n", "x.yaml:1:4: tags"),
        ("a: !!str 1\n", "x.yaml:1:4: tags"),
        ("! a: 1\n", "x.yaml:1:1: tags"),
        ("a:\n  <<: {b: 1}\n", "x.yaml:2:3: merge keys"),
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3:1: a is here a second time; the first is in line 1"),
        ("? [a]\n: 1\n", "x.yaml:1:3: a key must be text"),
        ("a: [1\n", "x.yaml:2:1: this is no YAML"),
        ("a: b: c\n", "x.yaml:1:5: this is no YAML"),
        ("a: '\x07'\n", "x.yaml:1:5: this is no YAML: a character"),
        ('a: "\\ud800"\n', "x.yaml:1:4: a character that no text may have"),
        ('a: "\\0"\n', "x.yaml:1:4: a character that no text may have"),
        ("\ta: 1\n", "x.yaml:1:1: this is no YAML: while scanning for the next token found character '\\t' that"),
        ("a: [b\nc: d\n", "expected ',' or ']', but got ':'"),
        ("[" * (DEEPEST + 2), "levels deep"),
        ("#" * (LARGEST + 1), "characters"),
    ],
)
def test_more_than_plain_data_is_refused_where_it_stands(text: str, said: str):
    assert said in refusal(text)


def test_more_values_than_may_be_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(positions, "MOST_NODES", 100)  # as many as there may be take seconds to read
    (node,) = parse_documents("- x\n" * 99, "x.yaml")
    assert plain_data(node) == ["x"] * 99
    assert refusal("- x\n" * 100).endswith("the file has more than 100 values")


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor():
    levels = "\n".join(f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]" for i in range(9))
    assert refusal(f"a: &a [x, x, x, x, x, x, x, x, x]\n{levels}\n").startswith("x.yaml:1:4: anchors")


def test_a_flood_of_mistakes_is_cut_off(secrets: pytest.MonkeyPatch, tmp_path: Path):
    keys = "\n".join(f"    key{number}: 1" for number in range(2_000))
    names = "\n".join(f"  name{number}: {{ulr: x}}" for number in range(2_000))
    found = problems_of(f"gateways:\n  one:\n{keys}\n{names}\n", tmp_path)
    assert len(found) < 300
    (long,) = problems_of(f"{'x' * 200_000}: 1\n", tmp_path)
    assert len(long) < 400


def test_a_file_whose_name_would_move_the_cursor_is_named_by_numbers(tmp_path: Path):
    (tmp_path / "a\x1b[2J.yaml").write_text("a: *b")
    (problem,) = read_files(tmp_path).problems
    assert "\\x1b[2J.yaml:1:4:" in str(problem)


def test_a_text_that_is_no_yaml_is_not_repeated():
    said = refusal("client_secret: 'hunter2\nb: \"hunter2\n")
    assert "hunter2" not in said


def test_a_folder_is_read_with_those_below_and_without_hidden_ones(write: Write, tmp_path: Path):
    write("all/b.yaml", "b: 1")
    write("all/a.yml", "a: 1")
    write("all/deep/c.yaml", "c: 1\n---\nd: 1\n")
    write("all/.git/e.yaml", "e: 1")
    write("all/.f.yaml", "f: 1")
    write("all/notes.txt", "g")
    read = read_files(tmp_path / "all")
    assert [next(iter(each.value)) for each in read.documents] == ["a", "b", "c", "d"]
    assert read.problems == []


def test_links_lead_nowhere_else(write: Write, tmp_path: Path):
    outside = write("secret.yaml", "a: 1")
    write("all/..data/inside.yaml", "b: 1")
    (tmp_path / "all" / "good.yaml").symlink_to("..data/inside.yaml")  # as a ConfigMap is mounted
    (tmp_path / "all" / "bad.yaml").symlink_to(outside)
    (tmp_path / "all" / "none.yaml").symlink_to("nowhere")
    (tmp_path / "all" / "round.yaml").symlink_to("round.yaml")
    (tmp_path / "all" / "folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "all" / "pipe.yaml")
    (tmp_path / "all" / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    read = read_files(tmp_path / "all")
    assert [each.value.keys() for each in read.documents] == [{"b"}]
    said = {Path(each.place.file).name: each.text for each in read.problems}
    assert set(said) == {"bad.yaml", "none.yaml", "round.yaml", "folder", "pipe.yaml", "bytes.yaml"}
    assert "leads out of the folder" in said["bad.yaml"]
    assert "no regular file" in said["pipe.yaml"]


def test_a_folder_without_files_and_a_file_that_is_not_there_are_wrong(tmp_path: Path):
    assert "no *.yaml" in str(read_files(tmp_path).problems[0])
    assert "cannot be read" in str(read_files(tmp_path / "x.yaml").problems[0])


def test_each_mistake_is_named_with_line_and_key(secrets: pytest.MonkeyPatch, tmp_path: Path):
    found = problems_of(
        """\
        gateways:
          x:
            ulr: https://x.example.com
            auth_type: by magic
            oauth_config:
              client_secret: plaintext-hunter2
              grant_typ: x
              scopes: 3
            id: 00000000000000000000000000000000
          "": {}
          y: 3
        setz: {}
        sets: [a]
        groups:
          staff: {}
          other: {members: [group:x]}
        """,
        tmp_path,
    )
    assert "hunter2" not in " ".join(found)
    assert {each.partition(" ")[0] for each in found} == {
        "latchpin.yaml:3:5:",
        "latchpin.yaml:4:16:",
        "latchpin.yaml:6:22:",
        "latchpin.yaml:7:7:",
        "latchpin.yaml:8:15:",
        "latchpin.yaml:9:5:",
        "latchpin.yaml:10:3:",
        "latchpin.yaml:11:6:",
        "latchpin.yaml:12:1:",
        "latchpin.yaml:13:7:",
        "latchpin.yaml:15:3:",
        "latchpin.yaml:16:20:",
    }
    said = "\n".join(found)
    assert "gateways.x.ulr is not a key; did you mean url?" in said
    assert "gateways.x.oauth_config.grant_typ is not a key; did you mean grant_type?" in said
    assert "setz is no key that an installed plugin knows; did you mean sets?" in said
    assert "groups.staff.members is missing" in said


def test_one_name_in_two_places_is_wrong_in_the_second(secrets: pytest.MonkeyPatch, tmp_path: Path):
    (found,) = problems_of("groups: {a: {members: []}}\n---\ngroups: {a: {members: []}}\n", tmp_path)
    assert "groups.a is here a second time; the first is" in found
    assert found.startswith("latchpin.yaml:3:10:")


@pytest.mark.parametrize("reference", ["'env:'", "'kept:'", "kept:x", "https", "Env:X", "12", "[a]", "{a: b}", "true"])
def test_what_is_no_reference_is_no_secret(reference: str, secrets: pytest.MonkeyPatch, tmp_path: Path):
    text = f"gateways: {{x: {{url: 'https://x.example.com', oauth_config: {{client_secret: {reference}}}}}}}"
    (found,) = problems_of(text, tmp_path)
    assert "a secret is not written in a file" in found


class _Inner(BaseModel):
    secret: SecretStr


class _Middle(BaseModel):
    inner: _Inner


class _Outer(BaseModel):
    middle: _Middle


async def _nothing(*_: object) -> None:
    return None


def test_no_secret_stays_in_what_was_read_however_deep_it_is():
    documents = parse_documents("alarms: {a: {middle: {inner: {secret: env:A}}}}", "x.yaml")
    wanted = read_wanted(documents, {"alarms": ConfigurationKind("alarms", "Alarms.", _Outer, _nothing)})
    (entry,) = wanted.entries
    built, problems = build_entry(entry, {("middle", "inner", "secret"): "hunter2"})
    assert (isinstance(built, _Outer) and built.middle.inner.secret.get_secret_value(), problems) == ("hunter2", [])
    assert entry.data == {"middle": {"inner": {}}}
