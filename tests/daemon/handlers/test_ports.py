"""Ports over the API; what they carry is in tests/daemon/test_ports.py."""

from pathlib import Path

import pytest

from tests.daemon.daemons import play, running
from tests.daemon.test_ports import PORTS, published, refuses, setting
from tests.daemon.test_sandboxes import create


def test_one_can_be_closed_before(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await create(daemon, sandbox="dev")
            _, made = await published(daemon)
            assert await daemon.ask("DELETE", f"{PORTS}?port=3000") == (200, made)
            assert refuses(made["host_port"])
            status, problem = await daemon.ask("DELETE", f"{PORTS}?port=3000")
            assert (status, problem["code"]) == (409, "conflict")
            assert (await published(daemon))[0] == 201

    play(conversation())


@pytest.mark.parametrize(
    "body", [{}, {"port": 0, "host_port": 0}, {"port": 1, "host_port": 65_536}, {"port": 1}]
)
def test_what_is_no_port_is_refused(short_path: Path, body: dict[str, int]) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await create(daemon, sandbox="dev")
            status, problem = await daemon.ask("POST", PORTS, body)
            assert (status, problem["code"]) == (400, "request_invalid")
            assert (await daemon.ask("GET", PORTS))[1] == {"ports": []}
            assert (await daemon.ask("GET", "/v1/sandboxes/none/ports"))[0] == 404

    play(conversation())


def test_a_sandbox_is_made_with_its_ports_or_not_at_all(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            wish = {"port": 3000, "host_port": 0}
            assert (await create(daemon, sandbox="dev", publish=[wish]))[0] == 201
            (made,) = (await daemon.ask("GET", PORTS))[1]["ports"]
            wish["host_port"] = made["host_port"]
            status, problem = await create(daemon, sandbox="other", publish=[wish])
            assert (status, problem["code"]) == (409, "conflict")
            assert [each.record.name for each in daemon.host.sandboxes.live] == ["dev"]

    play(conversation())
