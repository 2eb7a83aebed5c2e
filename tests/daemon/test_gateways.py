"""One gateway serves new sandboxes; a lost one is replaced, its sandboxes are not served again."""

import asyncio
import logging

import pytest

from cleanroom.daemon.gateways import Gateways
from cleanroom.errors import Fault
from cleanroom.events import NetworkEvent
from cleanroom.policy.compile import compile_nothing
from tests.decide.policies import policy, rule
from tests.fakes import FakeGateway


def record(sandbox_id: str, event: NetworkEvent) -> None:
    """Record nothing."""
    del sandbox_id, event


def test_it_is_started_once_and_again_when_it_was_lost() -> None:
    lost: list[frozenset[str]] = []

    async def conversation() -> None:
        gateway = FakeGateway()
        gateways = Gateways(gateway.start, record, lost.append)
        assert gateways.state == "not started"
        await gateways.warm_up()
        await gateways.serve("sbx_1", compile_nothing())
        assert (gateways.state, gateway.starts) == ("running", 1)
        gateway.die()
        assert gateways.state == "lost"
        await gateways.close_door("sbx_1")
        await gateways.serve("sbx_2", compile_nothing())
        assert (gateways.state, gateway.starts) == ("running", 2)
        await gateways.stop()
        assert not gateway.alive

    asyncio.run(conversation())
    assert lost == [frozenset()]


def test_doors_are_closed_once_and_unknown_ones_never() -> None:
    async def conversation() -> None:
        gateway = FakeGateway()
        gateways = Gateways(gateway.start, record, lambda _: None)
        await gateways.serve("sbx_1", compile_nothing())
        gateway.doors.add("sbx_1")
        await gateways.close_door("sbx_1")
        assert gateway.doors == set()
        await gateways.close_door("sbx_1")
        await gateways.stop()

    asyncio.run(conversation())


def test_a_sandbox_is_told_what_to_trust_if_its_policy_opens_tls() -> None:
    async def conversation() -> None:
        gateways = Gateways(FakeGateway().start, record, lambda _: None)
        plain = await gateways.serve("sbx_1", policy("a.test:443"))
        opened = await gateways.serve("sbx_2", policy(rule("a.test:443", inspect=True)))
        assert (plain.authority, opened.authority) == ("", "a certificate\n")
        await gateways.stop()

    asyncio.run(conversation())


def test_many_sandboxes_at_once_start_one_gateway() -> None:
    async def conversation() -> None:
        gateway = FakeGateway()
        gateways = Gateways(gateway.start, record, lambda _: None)
        await asyncio.gather(*(gateways.serve(f"sbx_{n}", compile_nothing()) for n in range(20)))
        assert gateway.starts == 1

    asyncio.run(conversation())


def test_a_gateway_that_does_not_start_is_said_in_the_log_and_to_the_sandbox(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def conversation() -> None:
        gateway = FakeGateway()
        gateway.broken = True
        gateways = Gateways(gateway.start, record, lambda _: None)
        await gateways.warm_up()
        with pytest.raises(Fault):
            await gateways.serve("sbx_1", compile_nothing())
        await gateways.stop()

    with caplog.at_level(logging.WARNING):
        asyncio.run(conversation())
    assert "cannot start the gateway" in caplog.text
