"""``.env.example`` lists every variable, truthfully, and the first ``.env`` is made from it once and safely."""

import itertools
import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values
from latchpin.settings import Settings
from latchpin_admin_cli.env_example import create_env_file, write_example
from pydantic import Field

from tests.docs.write import EXAMPLE, our_models
from tests.servers import run_latchpin


def test_the_example_in_the_repository_is_up_to_date():
    names = {"latchpin", "latchpin-sql-store", "latchpin-redis-store", "latchpin-dcr"}
    assert names <= set(our_models()), "the plugins that have settings must be installed"
    assert EXAMPLE.read_text() == write_example(our_models()), "write it anew: make docs"


def test_the_command_prints_it_too(tmp_path: Path):
    printed = run_latchpin("config", "example", env={}, cwd=tmp_path)
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.startswith(EXAMPLE.read_text().partition("# -- latchpin-")[0])


def test_a_copied_example_changes_no_setting(tmp_path: Path):
    for model in our_models().values():
        assert model(_env_file=EXAMPLE) == model(_env_file=None)


def test_every_variable_is_there_with_a_line_that_explains_it():
    lines = EXAMPLE.read_text().splitlines()
    names = dotenv_values(EXAMPLE)
    for distribution, model in our_models().items():
        for name in model.model_fields:
            assert name.upper() in names, f"{distribution} reads {name.upper()}"
    for before, line in itertools.pairwise(lines):
        if line.partition("=")[0].isupper():
            assert before.startswith("# ")
            assert len(before) > len("# a few words"), line


class Odd(Settings):
    tuple_of_words: tuple[str, ...] = Field(("a", "b c"), description="Words.")
    needed: str = Field(description="Something that has no default.")
    flag: bool = True


def test_values_survive_the_way_through_a_file(tmp_path: Path):
    path = tmp_path / "env"
    path.write_text(write_example({"one": Odd, "two": Odd}))
    assert dotenv_values(path) == {"TUPLE_OF_WORDS": '["a", "b c"]', "NEEDED": "", "FLAG": "true"}
    assert "two" not in path.read_text()


def test_the_first_env_is_the_owners_alone_and_has_the_secret(tmp_path: Path):
    path = tmp_path / ".env"
    assert create_env_file("A=1\nAUTH_ENCRYPTION_SECRET=my-test-salt\nB=2\n", path, secret="s3cr\\1et")
    assert path.read_text() == "A=1\nAUTH_ENCRYPTION_SECRET=s3cr\\1et\nB=2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_env_is_never_touched(tmp_path: Path):
    path = tmp_path / ".env"
    path.write_text("mine")
    assert not create_env_file("AUTH_ENCRYPTION_SECRET=\n", path, secret="secret")
    assert path.read_text() == "mine"


def test_an_example_without_a_secret_makes_no_env(tmp_path: Path):
    with pytest.raises(ValueError, match="AUTH_ENCRYPTION_SECRET"):
        create_env_file("A=1\n", tmp_path / ".env", secret="secret")
    assert not (tmp_path / ".env").exists()
