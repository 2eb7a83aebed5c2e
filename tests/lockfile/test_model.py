from cleanroom.lockfile.model import LIMITS, Ecosystem, LockfileError, Pin, Strength
from cleanroom.policy.parse_registries import MANAGERS


def test_every_ecosystem_but_mise_is_a_registry_of_the_policy() -> None:
    assert set(Ecosystem) - {Ecosystem.MISE} <= set(MANAGERS)


def test_a_pin_is_as_strong_as_its_lock_file_unless_it_says_so() -> None:
    assert Pin(Ecosystem.NPM, "a", "1").strength is Strength.LOCKFILE


def test_an_error_has_a_place() -> None:
    error = LockfileError("cannot read it", 3, 7)
    assert (str(error), error.line, error.column) == ("cannot read it", 3, 7)
    assert LIMITS.depth < 1000


def test_an_error_can_be_written_whatever_a_lock_file_names() -> None:
    """JSON can name a key by half of a character."""
    assert str(LockfileError("cannot read it: '\ud800'")) == "cannot read it: '\\ud800'"
