"""Files of a living sandbox over the API; what programs inside say is not believed."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from cleanroom.daemon.handlers import files
from tests.daemon.daemons import Daemon, Json, Setting, play, running
from tests.daemon.test_sandboxes import create
from tests.fake_process import FakeProcess

FOUND = b"0\0d\x00755\x004096\x001.5\0\0\0" + b"1\0f\x00644\x003\x002.5\0b\0\0"
FOUND += b"1\0l\x00777\x001\x003.5\0a\0t\0" + b"1\0p\x00600\x000\x004.5\0c\xff\0\0"


async def find(process: FakeProcess) -> int:
    """Say what is there."""
    await process.say(FOUND if "/workspace/src" in process.command.argv else b"")
    return 0 if "/workspace/src" in process.command.argv else 1


async def tar(process: FakeProcess) -> int:
    """Pack something, or take what comes and say how much."""
    if "--create" in process.command.argv:
        await process.say(b"an archive")
        return 0
    size = 0
    while data := await process.read():
        size += len(data)
    return 0 if size == 6 else 2


async def broken(process: FakeProcess) -> int:
    """Say why it fails."""
    await process.say(b"half")
    await process.say(b"tar: first\ntar: a\x1b[2Jb: Cannot open\n", 2)
    return 2


async def asleep(process: FakeProcess) -> int:
    """Do nothing for ever."""
    await asyncio.Event().wait()
    return 0


def setting(folder: Path) -> Setting:
    """A daemon whose sandboxes have these programs."""
    made = Setting(folder)
    made.backend.programs.update(find=find, tar=tar)
    return made


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it is true."""
    for _ in range(6000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError


async def talk(daemon: Daemon, path: str, *pieces: bytes) -> tuple[bytes, Json]:
    """Send pieces and their end; return all bytes and the last word."""
    data = b""
    async with daemon.http.ws_connect(f"http://d/v1/sandboxes/dev/files/{path}") as socket:
        for piece in pieces:
            await socket.send_bytes(piece)
        if pieces:
            await socket.send_str('{"type": "eof"}')
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                return data, json.loads(message.data)
            data += message.data
    raise AssertionError(data)


def test_a_folder_is_listed_and_what_is_not_there_is_missing(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await create(daemon, sandbox="dev")
            path = "/v1/sandboxes/dev/files?path="
            status, found = await daemon.ask("GET", f"{path}src/")
            assert (status, found["path"], found["kind"]) == (200, "/workspace/src", "folder")
            rows = [(each["name"], each["kind"], each["size"]) for each in found["entries"]]
            assert rows == [("a", "link", 1), ("b", "file", 3), ("c\\xff", "other", 0)]
            assert found["entries"][0]["target"] == "t"
            assert (await daemon.ask("GET", f"{path}/none"))[1]["kind"] == "missing"
            assert (await daemon.ask("GET", f"{path}{'x' * 5000}"))[0] == 400
            assert (await daemon.ask("GET", f"{path}a%00b"))[0] == 400
            assert daemon.host.sandboxes.live[0].helpers == 0

    play(conversation())


@pytest.mark.parametrize(
    ("said_of_it", "kind", "names"),
    [
        (b"", "missing", []),
        (b"nonsense", "missing", []),
        (FOUND[:-8], "folder", ["a", "b"]),
        (FOUND.replace(b"\x003\0", b"\0three\0"), "folder", []),
        (FOUND.replace(b"\x003\0", b"\0" + b"9" * 30 + b"\0"), "folder", []),
        (FOUND.replace(b"2.5", b"nan"), "folder", []),
    ],
    ids=["nothing", "noise", "cut", "no number", "too large", "no time"],
)
def test_a_listing_that_is_none_is_cut(said_of_it: bytes, kind: str, names: list[str]) -> None:
    found = files.listing("/x", said_of_it, truncated=False)
    assert found.kind == kind
    assert [each.name for each in found.entries] == names


def test_archives_go_out_and_in(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await create(daemon, sandbox="dev")
            data, last = await talk(daemon, "read?path=/etc&folder=true")
            assert (data, last["type"]) == (b"an archive", "exit")
            _, last = await talk(daemon, "write?path=sub", b"abc", b"def")
            assert last["type"] == "exit"
            first, second = (each.command.argv for each in daemon.backend.sandboxes[0].processes)
            assert first[-3:] == ("--directory=/etc", "--", "./.")
            assert "--directory=/workspace/sub" in second
            kinds = [line.get("kind") for line in await daemon.lines("/v1/sandboxes/dev/events")]
            assert kinds[-3:] == ["files.read", "files.written", None]

    play(conversation())


def test_what_fails_inside_is_the_last_word(short_path: Path) -> None:
    async def conversation() -> None:
        made = setting(short_path)
        made.backend.programs["tar"] = broken
        async with running(made) as daemon:
            await create(daemon, sandbox="dev")
            data, last = await talk(daemon, "read?path=x")
            assert (data, last["type"]) == (b"half", "error")
            assert last["problem"]["detail"] == "cannot read the files: tar: a[2Jb: Cannot open"
            _, last = await talk(daemon, "write?path=x", b"abc")
            assert last["problem"]["detail"].startswith("cannot write the files: tar: a")
            del daemon.backend.programs["tar"]
            _, last = await talk(daemon, "write?path=x", b"abc")
            assert last["problem"]["detail"] == "cannot write the files: the sandbox has no tar"
            daemon.backend.programs["find"] = broken
            status, problem = await daemon.ask("GET", "/v1/sandboxes/dev/files")
            assert (status, "Cannot open" in problem["detail"]) == (500, True)

    play(conversation())


def test_one_that_has_ended_has_no_files(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(setting(short_path)) as daemon:
            await create(daemon, sandbox="dev")
            await daemon.ask("POST", "/v1/sandboxes/dev/stop")
            for path in ("files", "files/read", "files/write"):
                status, problem = await daemon.ask("GET", f"/v1/sandboxes/dev/{path}")
                assert (status, problem["code"]) == (409, "conflict")

    play(conversation())


def test_a_client_that_goes_away_leaves_no_helper(short_path: Path) -> None:
    async def conversation() -> None:
        made = setting(short_path)
        made.backend.programs["tar"] = asleep
        async with running(made) as daemon:
            await create(daemon, sandbox="dev")
            live = daemon.host.sandboxes.live[0]
            for direction in ("read", "write"):
                url = f"http://d/v1/sandboxes/dev/files/{direction}?path=x"
                async with daemon.http.ws_connect(url):
                    await until(lambda: live.helpers == 1)
                await until(lambda: live.helpers == 0)
            assert [each.signals for each in daemon.backend.sandboxes[0].processes] != [[], []]

    play(conversation())


def test_a_list_that_takes_too_long_is_given_up(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LIST_S", 0.01)

    async def conversation() -> None:
        made = setting(short_path)
        made.backend.programs["find"] = asleep
        async with running(made) as daemon:
            await create(daemon, sandbox="dev")
            status, problem = await daemon.ask("GET", "/v1/sandboxes/dev/files")
            assert (status, problem["code"]) == (500, "timed_out")

    play(conversation())
