from cleanroom.policy.model import LockfilePolicy
from cleanroom.policy.widening_values import (
    Change,
    added,
    changed,
    less,
    more,
    other_fields,
    shown,
    turned,
)


def said(changes: object) -> list[str]:
    """Return the sentences."""
    return [each.text() for each in changes]  # type: ignore[attr-defined]


def test_a_bound_widens_by_growing_or_by_going_away() -> None:
    assert said(more("x", 1, 2)) == ["x: 1 -> 2"]
    assert said(more("x", 1, None)) == ["x: 1 -> not set"]
    assert not said(more("x", None, 1))
    assert not said(more("x", 2, 1))


def test_a_wait_widens_by_shrinking_or_by_going_away() -> None:
    assert said(less("x", 2, 1, nothing=0)) == ["x: 2 -> 1"]
    assert said(less("x", 2, None, nothing=0)) == ["x: 2 -> not set"]
    assert not said(less("x", None, 0, nothing=0))
    assert not said(less("x", 1, 2, nothing=0))


def test_a_flag_widens_one_way() -> None:
    assert said(turned("x", False, True, to=True)) == ["x: false -> true"]  # noqa: FBT003
    assert not said(turned("x", True, False, to=True))  # noqa: FBT003
    assert not said(turned("x", True, True, to=True))  # noqa: FBT003


def test_a_list_widens_by_its_new_entries() -> None:
    assert said(added("x", ("a",), ("a", "b"))) == ["x: b"]


def test_what_has_no_order_widens_by_changing() -> None:
    assert said(changed("x", None, "a")) == ["x: not set -> a"]
    assert not said(changed("x", "a", "a"))
    old, new = LockfilePolicy(), LockfilePolicy(enabled=True, mode="warn")
    assert said(other_fields("x", old, new, {"mode"})) == ["x.enabled: false -> true"]


def test_values_are_shown_as_a_policy_says_them() -> None:
    assert shown(LockfilePolicy(lockfiles=("a", "b"))) == (
        "enabled=false mode=deny_unknown lockfiles=[a, b]"
    )
    assert Change("it is").reversed().text() == "it is"
    assert Change("x", "1", "2").reversed().text() == "x: 2 -> 1"
