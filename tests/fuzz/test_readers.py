"""Whatever comes, a reader answers or raises what it declares; at night a million times."""

import time

import pytest

from tests.fuzz.mutator import mutated
from tests.fuzz.readers import READERS
from tests.seeds import NIGHTLY, chance

CASES = 1_000_000 // len(READERS) + 1 if NIGHTLY else 300
# What a case may cost of the processor, the best of three. By day machines are busy: nobody looks.
BUDGET_S = 1.0


@pytest.mark.timeout(0 if NIGHTLY else 300)
@pytest.mark.parametrize("name", READERS)
def test_whatever_comes_is_read_or_refused_as_declared(name: str) -> None:
    reader = READERS[name]
    refused = 0
    for number in range(CASES):
        data, spent = mutated(chance(number), reader.right[number % len(reader.right)]), []
        for _ in range(3):
            random = chance(number)
            began = time.process_time()
            try:
                reader.read(data, random)
            except reader.declared:
                refused += 1
            except BaseException as error:
                error.add_note(f"of case {number}: {data!r}")
                raise
            spent.append(time.process_time() - began)
            if spent[-1] <= BUDGET_S or not NIGHTLY:
                break
        assert not NIGHTLY or min(spent) <= BUDGET_S, f"{min(spent):.1f} s: {data!r}"
    assert refused < CASES  # some are right: the cases are worth reading


@pytest.mark.parametrize("name", READERS)
def test_what_is_right_is_read(name: str) -> None:
    for data in READERS[name].right:
        READERS[name].read(data, chance())
