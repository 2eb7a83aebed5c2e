"""Ids are unguessable when made and checked before use (C2)."""

import pytest

from cleanroom.daemon.ids import execution_id, new_id, run_word, sandbox_word
from cleanroom.errors import Code, UserError

HOSTILE = [
    "",
    "../../etc/passwd",
    "sbx_",
    "sbx_" + "g" * 20,
    "sbx_" + "0" * 19,
    "sbx_" + "0" * 20 + "\n",
    "sbx_" + "\u0661" * 20,
    "a\0b",
    "-x",
    "A",
    "a" * 64,
    "exe_" + "0" * 20 + "/..",
]


def test_fresh_ids_differ_and_pass() -> None:
    made = {new_id("sbx") for _ in range(100)}
    assert len(made) == 100
    assert all(sandbox_word(each) == each for each in made)


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_words_are_ids_that_do_not_exist(word: str) -> None:
    with pytest.raises(UserError) as sandbox:
        sandbox_word(word)
    with pytest.raises(UserError) as execution:
        execution_id(word)
    with pytest.raises(UserError) as run:
        run_word(word)
    assert sandbox.value.code is Code.SANDBOX_NOT_FOUND
    assert execution.value.code is run.value.code is Code.EXECUTION_NOT_FOUND


def test_names_and_the_last_run_are_words_too() -> None:
    assert sandbox_word("dev-1") == "dev-1"
    assert run_word("last") == "last"
    assert run_word(new_id("run")).startswith("run_")
    assert execution_id(new_id("exe")).startswith("exe_")


def test_one_kind_of_id_is_not_another() -> None:
    with pytest.raises(UserError):
        execution_id(new_id("run"))
