"""Who asks for the last run hears of a command after it that never began."""

from cleanroom.daemon.turned_away import MOST, TurnedAway
from cleanroom.errors import Code


def test_the_newest_is_told_until_one_has_begun() -> None:
    turned_away = TurnedAway()
    assert turned_away.said("/w") == ()
    turned_away.note("/w", Code.POLICY_INVALID)
    turned_away.note("/w", Code.APPROVAL_REQUIRED)
    assert turned_away.said("/w") == (
        "the command after this run was refused before it began (approval_required): it is no run",
    )
    assert turned_away.said("/other") == ()
    turned_away.forget("/w")
    turned_away.forget("/w")
    assert turned_away.said("/w") == ()


def test_they_are_bounded() -> None:
    turned_away = TurnedAway()
    for number in range(MOST + 1):
        turned_away.note(f"/{number}", Code.INTERNAL)
    assert turned_away.said("/0") == ()
    assert turned_away.said("/1") != ()
