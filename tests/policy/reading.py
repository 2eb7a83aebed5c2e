"""How the tests of this folder talk to the parser: text in, answers short enough to compare.

In: YAML. Out: "LINE:COLUMN message" for each problem. Never: an assertion.
"""

import sys
import time
from collections.abc import Callable

from cleanroom.policy.compile import compile_policy
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.parse import parse_policy
from cleanroom.policy.problems import PolicyErrors, Problem
from tests.seeds import NIGHTLY

PATH = "cleanroom.yaml"

# How many inputs a fuzz test tries.
EXAMPLES = 200_000 if NIGHTLY else 200


# What any input may cost. A tracer (coverage) makes every line several times slower.
BUDGET_S = 0.1 if sys.gettrace() is None else 1.5


def seconds_of(action: Callable[[], object]) -> float:
    """Return the processor time of an action, the best of three: collections of the heap that
    other tests left behind are not its own."""
    times = []
    for _ in range(3):
        began = time.process_time()
        action()
        times.append(time.process_time() - began)
    return min(times)


def problems_in(text: str) -> tuple[Problem, ...]:
    """Return every problem of a policy, none if it is right."""
    try:
        compile_policy(parse_policy(text, PATH))
    except PolicyErrors as errors:
        return errors.problems
    return ()


def said_of(text: str) -> list[str]:
    """Return what is said of a policy, a line each."""
    return [f"{each.line}:{each.column} {each.message}" for each in problems_in(text)]


def compiled(text: str) -> CompiledPolicy:
    """Return what a right policy means."""
    return compile_policy(parse_policy(text, PATH))


def network(*entries: str, section: str = "allow") -> str:
    """Return a policy with these flow mappings as its rules, one a line from line 5 on."""
    lines = ["version: 1", "sandbox:", "  network:", f"    {section}:"]
    return "\n".join([*lines, *(f"    - {entry}" for entry in entries), ""])
