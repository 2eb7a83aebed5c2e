"""A real gateway process that is told to hold a sandbox to less: it does, or it ends."""

import asyncio
import os
import signal

import pytest

from cleanroom.daemon import gateway_link
from cleanroom.daemon.policy_files import PolicyFiles
from cleanroom.errors import Code, Refused
from cleanroom.policy.model import CompiledPolicy
from tests.daemon.test_gateway_link import Journal, linked, run
from tests.decide.policies import policy
from tests.gateway.guests import Guest

pytestmark = pytest.mark.usefixtures("programs")


def test_a_policy_can_be_narrowed_while_the_sandbox_lives() -> None:
    async def work() -> None:
        journal = Journal()
        async with linked(journal) as link:
            door = link.door("sbx_1", policy("a.test:443", "b.test:443"))
            guest = await Guest.start(
                door, "print(get('a.test', 1, wait=3)); sys.stdout.flush()\n"
                "while get('b.test', 1, wait=1) != 'no such name': pass\nprint('narrowed')"
            )  # fmt: skip
            assert await guest.line() == "ConnectionResetError\n"
            await link.narrow("sbx_1", policy("a.test:443"))
            await link.narrow("sbx_else", policy())  # nobody's
            assert await guest.rest() == "narrowed\n"

    run(work)


def test_a_gateway_that_does_not_narrow_does_not_live_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        journal = Journal()
        async with linked(journal) as link:
            guest = await Guest.start(link.door("sbx_1", policy("a.test:443")), "print('ready')")
            await guest.rest()
            os.kill(link.pid, signal.SIGSTOP)
            monkeypatch.setattr(gateway_link, "_ANSWER_S", 0.05)
            await link.narrow("sbx_1", policy())
            assert not link.alive
        assert journal.lost == [frozenset({"sbx_1"})]

    run(work)


def test_a_policy_that_is_too_large_leaves_the_sandbox_no_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def too_large(_policy: CompiledPolicy) -> int:
        raise Refused(Code.RESOURCE_LIMIT, "cannot hand it over: it is too large")

    async def work() -> None:
        journal = Journal()
        async with linked(journal) as link:
            guest = await Guest.start(
                link.door("sbx_1", policy("a.test:443")),
                "print(get('a.test', 1, wait=3)); sys.stdout.flush()\n"
                "while get('a.test', 1, wait=1) == 'ConnectionResetError': pass\nprint('cut')",
            )
            assert await guest.line() == "ConnectionResetError\n"
            monkeypatch.setattr(PolicyFiles, "file", lambda _, policy: too_large(policy))
            with pytest.raises(Refused):
                await link.narrow("sbx_1", policy())
            assert await guest.rest() == "cut\n"
            assert link.alive

    run(work)


def test_a_gateway_that_ends_while_it_narrows_is_lost() -> None:
    async def work() -> None:
        journal = Journal()
        async with linked(journal) as link:
            guest = await Guest.start(link.door("sbx_1", policy("a.test:443")), "print('ready')")
            await guest.rest()
            os.kill(link.pid, signal.SIGSTOP)
            async with asyncio.TaskGroup() as group:
                group.create_task(link.narrow("sbx_1", policy()))
                await asyncio.sleep(0)
                os.kill(link.pid, signal.SIGKILL)
            assert not link.alive
        assert journal.lost == [frozenset({"sbx_1"})]

    run(work)
