"""SPEC.md is written by people: its tables must be those of the code. Never: its prose."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from cleanroom.errors import Code
from cleanroom.policy.demands import Capability
from cleanroom.sandbox.state import EXECUTION_STEPS, SANDBOX_STEPS

State = TypeVar("State", bound=StrEnum)

SPEC = (Path(__file__).resolve().parents[2] / "SPEC.md").read_text(encoding="utf-8")


def chapter(name: str) -> str:
    return SPEC.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(text: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def steps(table: str) -> dict[str, set[str]]:
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", table, re.MULTILINE)
    return {state: set(re.findall(r"`(\w+)`", following)) for state, following in rows}


def as_words(table: Mapping[State, Iterable[State]]) -> dict[str, set[str]]:
    return {str(state): set(map(str, following)) for state, following in table.items()}


def test_the_specification_lists_every_reason_code_once_in_order() -> None:
    assert first_cells(chapter("Reason codes")) == [str(code) for code in Code]


def test_the_specification_lists_every_capability_once_in_order() -> None:
    assert first_cells(chapter("Capabilities")) == [str(each) for each in Capability]


def test_the_specification_has_the_lifecycles_of_the_code() -> None:
    sandbox, execution = chapter("Lifecycles").split("| execution | next |")
    assert steps(sandbox) == as_words(SANDBOX_STEPS)
    assert steps(execution) == as_words(EXECUTION_STEPS)
