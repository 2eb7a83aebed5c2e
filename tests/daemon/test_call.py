"""A request is bounded in size and time, and its words are checked."""

import asyncio
from pathlib import Path

import pytest

from cleanroom.api.endpoints import ENDPOINTS
from cleanroom.daemon import call
from cleanroom.daemon.call import refuse_unknown_query
from cleanroom.errors import UserError
from tests.daemon.daemons import Setting, play, running


def test_a_body_that_never_comes_is_given_up(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, "BODY_S", 0.1)

    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting):
            reader, writer = await asyncio.open_unix_connection(str(setting.paths.socket))
            writer.write(b"POST /v1/runs HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n{")
            assert (await reader.read(100)).split(b" ")[1] == b"408"
            writer.close()

    play(conversation())


def test_flags_may_be_bare(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            await daemon.finished(await daemon.run("true"))
            for query, count in (("", 0), ("?all", 1), ("?all=true", 1), ("?all=0", 0)):
                listed = (await daemon.ask("GET", f"/v1/sandboxes{query}"))[1]["sandboxes"]
                assert len(listed) == count

    play(conversation())


def test_parameters_are_those_of_the_endpoint() -> None:
    (health,) = (each for each in ENDPOINTS if each.name == "health")
    refuse_unknown_query({}, health)
    with pytest.raises(UserError):
        refuse_unknown_query({"x": "1"}, health)
