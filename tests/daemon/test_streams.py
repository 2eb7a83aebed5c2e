"""A stream ends with a terminal line, or its client is gone."""

import asyncio
from pathlib import Path

from aiohttp import ClientSession, UnixConnector, web

from cleanroom.api import codec
from cleanroom.api.streams import NoteLine
from cleanroom.daemon.streams import NdjsonStream
from cleanroom.errors import Code, Fault


def test_a_fault_in_the_middle_is_the_last_line(short_path: Path) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        async with NdjsonStream(request) as stream:
            await stream.send(codec.encode_line(NoteLine(text="one")))
            raise Fault(Code.INTERNAL, "cannot go on")
        return stream.response

    async def conversation() -> None:
        application = web.Application()
        application.router.add_get("/", handler)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.UnixSite(runner, str(short_path / "s")).start()
        connector = UnixConnector(str(short_path / "s"))
        async with ClientSession(connector=connector) as http, http.get("http://d/") as response:
            first, last = (await response.text()).splitlines()
        assert '"note"' in first
        assert last.startswith('{"type":"error"')
        assert "cannot go on" in last
        await runner.cleanup()

    asyncio.run(conversation())


def test_a_waiting_stream_notices_that_its_client_went_away(short_path: Path) -> None:
    noticed: list[bool] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        async with NdjsonStream(request) as stream:
            await stream.until(asyncio.Event().wait())
        noticed.append(stream.lost)
        done.set()
        return stream.response

    done = asyncio.Event()

    async def conversation() -> None:
        application = web.Application()
        application.router.add_get("/", handler)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.UnixSite(runner, str(short_path / "s")).start()
        reader, writer = await asyncio.open_unix_connection(str(short_path / "s"))
        writer.write(b"GET / HTTP/1.1\r\nHost: d\r\n\r\n")
        await reader.readline()
        writer.close()
        await asyncio.wait_for(done.wait(), 5)
        await runner.cleanup()

    asyncio.run(conversation())
    assert noticed == [True]
