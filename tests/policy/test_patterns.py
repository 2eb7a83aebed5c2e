import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.policy.patterns import covered, covers, meet, reduced


@pytest.mark.parametrize(
    ("pattern", "other", "is_covered"),
    [
        ("team/lib", "team/lib", True),
        ("team/lib", "team/lib2", False),
        ("team/lib", "Team/lib", False),
        ("team/lib", "team/*", False),
        ("team/*", "team/lib", True),
        ("team/*", "team/sub/lib", True),
        ("team/*", "team/sub/*", True),
        ("team/*", "team/*", True),
        ("team/*", "team", False),
        ("team/*", "team/", False),
        ("team/*", "teams/lib", False),
        ("team/*", "*", False),
        ("*", "team/*", True),
        ("*", "anything", True),
        ("*", "*", True),
    ],
)
def test_a_pattern_is_a_name_or_all_below_one(
    pattern: str,
    other: str,
    is_covered: bool,  # noqa: FBT001
) -> None:
    assert covers(pattern, other) is is_covered
    assert covered(["other", pattern], other) is is_covered
    assert meet(pattern, other) is (is_covered or covers(other, pattern))


def test_what_another_one_covers_is_left_out() -> None:
    assert reduced(["b/c", "a/x/*", "a/*", "a/b", "b/c"]) == ("a/*", "b/c")
    assert reduced(["a", "*"]) == ("*",)
    assert not covered([], "a")


PATTERNS = st.sampled_from(["*", "a/*", "a/b/*", "a/b", "a/c", "b"])


@given(st.lists(PATTERNS, max_size=6), PATTERNS)
def test_leaving_out_changes_nothing(patterns: list[str], other: str) -> None:
    assert covered(reduced(patterns), other) is covered(patterns, other)
