"""Verdicts are values."""

import dataclasses

import pytest

from cleanroom.decide.model import Allow, Deny
from cleanroom.errors import Code
from tests.decide.policies import rule


def test_a_verdict_cannot_be_turned() -> None:
    deny = Deny(Code.HOST_NOT_ALLOWED, "no rule")
    with pytest.raises(dataclasses.FrozenInstanceError):
        deny.code = Code.INTERNAL  # type: ignore[misc]
    assert Allow(rule("a.test:443")) == Allow(rule("a.test:443"))
