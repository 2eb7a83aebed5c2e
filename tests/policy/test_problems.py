import pytest

from cleanroom.errors import Code
from cleanroom.policy.model import Place
from cleanroom.policy.problems import (
    MAX_PROBLEMS,
    PolicyErrors,
    Problem,
    Problems,
    TooManyProblemsError,
    nearest,
    quoted,
)


def test_a_problem_reads_like_a_compiler_message() -> None:
    assert str(Problem("cleanroom.yaml", 7, 11, "cannot allow '*'")) == (
        "cleanroom.yaml:7:11: cannot allow '*'"
    )


def test_errors_come_in_file_order_whatever_the_order_they_were_found_in() -> None:
    late, early = Problem("c", 9, 1, "cannot b", "hint b"), Problem("c", 2, 5, "cannot a", "hint a")
    errors = PolicyErrors([late, early])
    assert errors.problems == (early, late)
    assert errors.message == "cannot use c: 2 problems, the first is c:2:5: cannot a"
    assert errors.hint == ""
    assert errors.code is Code.POLICY_INVALID


def test_one_problem_is_the_message_itself() -> None:
    errors = PolicyErrors([Problem("c", 9, 1, "cannot b", "write c")])
    assert (errors.message, errors.hint) == ("c:9:1: cannot b", "write c")


def test_the_collector_is_full_at_its_bound_and_says_that_it_stopped() -> None:
    problems = Problems("c")
    for line in range(1, MAX_PROBLEMS):
        problems.add(Place(line, 1), "cannot")
    with pytest.raises(TooManyProblemsError):
        problems.add(Place(MAX_PROBLEMS, 1), "cannot")
    problems.close()
    assert len(problems.found) == MAX_PROBLEMS + 1
    assert problems.found[-1].message.startswith("cannot list more than 50 problems")


def test_text_of_the_file_is_shown_escaped_and_short() -> None:
    assert quoted("a.example") == "'a.example'"
    assert quoted("a\x1b[2Jb") == r"'a\x1b[2Jb'"
    assert quoted("a\u202eb") == r"'a\u202eb'"
    assert len(quoted("x" * 1000)) < 50


def test_the_nearest_known_word_is_suggested_else_all_of_them() -> None:
    assert nearest("Hots", ["host", "ports"]) == "did you mean 'host'?"
    assert nearest("hosts", ["ports", "allowed_hosts"]) == "did you mean 'allowed_hosts'?"
    assert nearest("zzz", ["host", "ports"]) == "known here: host, ports"
    assert nearest("h" * 1000, ["host"]) == "known here: host"
