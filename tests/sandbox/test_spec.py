"""The spec is data: frozen, and equal when it says the same."""

from dataclasses import FrozenInstanceError, replace

import pytest

from cleanroom.policy.demands import Limits
from cleanroom.sandbox.spec import Bind, Command, SandboxSpec

SPEC = SandboxSpec("sbx_1", "cleanroom", (Bind("/usr", "/usr"),), (), "/", Limits(), frozenset())


def test_a_spec_cannot_be_changed_once_it_was_decided() -> None:
    with pytest.raises(FrozenInstanceError):
        SPEC.mounts = ()  # type: ignore[misc]


def test_equal_plans_are_equal() -> None:
    assert replace(SPEC) == SPEC
    assert replace(SPEC, uid=0) != SPEC


def test_a_command_has_no_terminal_unless_asked() -> None:
    assert not Command(("true",), (), "/").tty
