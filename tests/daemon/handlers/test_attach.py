"""Attach: bytes both ways, refusals at once, the exit last; who vanishes cancels (C12)."""

import asyncio
import json
from pathlib import Path
from typing import TypeAlias

import aiohttp
import pytest

from cleanroom.daemon.transcript import Transcript
from cleanroom.errors import Code, Fault
from tests.daemon.daemons import (
    Daemon,
    Json,
    Setting,
    execution_path,
    play,
    running,
)

Socket: TypeAlias = aiohttp.ClientWebSocketResponse[bool]


async def until_exit(socket: Socket) -> tuple[bytes, list[Json]]:
    """Return all bytes of both streams with their prefixes cut, and all text messages."""
    data, told = b"", []
    async for message in socket:
        if message.type is aiohttp.WSMsgType.BINARY:
            data += message.data[1:]
        else:
            told.append(json.loads(message.data))
    return data, told


def test_output_comes_then_the_exit(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("echo", "hello", detach=False)
            async with daemon.attach(run) as socket:
                data, told = await until_exit(socket)
            assert data == b"hello\n"
            assert [each["type"] for each in told] == ["exit"]
            assert told[0]["run"]["exit_code"] == 0
            assert told[0]["execution"]["state"] == "succeeded"

    play(conversation())


def test_the_streams_are_told_apart(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("err", "oops", detach=False)
            async with daemon.attach(run) as socket:
                assert await socket.receive_bytes() == b"\x02oops\n"

    play(conversation())


def test_a_command_that_ended_before_its_client_came_is_not_lost(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("deny", "evil.test", "443", detach=False)
            await daemon.finished(run)
            async with daemon.attach(run) as socket:
                _, told = await until_exit(socket)
            assert [each["type"] for each in told] == ["denied", "exit"]

    play(conversation())


def test_an_execution_of_an_earlier_daemon_has_only_its_exit(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            run = await daemon.run("echo", "x")
            await daemon.finished(run)
        async with running(setting) as daemon, daemon.attach(run) as socket:
            data, told = await until_exit(socket)
            assert data == b""
            assert [each["type"] for each in told] == ["exit"]

    play(conversation())


def test_input_reaches_the_command_and_what_it_took_is_said(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("cat", detach=False, stdin=True)
            async with daemon.attach(run) as socket:
                await socket.send_bytes(b"one ")
                await socket.send_bytes(b"two")
                await socket.send_str('{"type": "eof"}')
                data, told = await until_exit(socket)
            assert data == b"one two"
            assert told[-2] == {"type": "stdin", "taken": 7}
            assert told[-1]["run"]["exit_code"] == 0

    play(conversation())


def test_without_stdin_the_command_sees_its_end_at_once(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("cat", detach=False)
            async with daemon.attach(run) as socket:
                assert (await until_exit(socket))[1][-1]["run"]["exit_code"] == 0

    play(conversation())


def test_a_refusal_is_told_while_the_command_runs_and_counted_at_the_end(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("cat", detach=False, stdin=True)
            async with daemon.attach(run) as socket:
                (process,) = daemon.backend.sandboxes[0].processes
                for _ in range(3):
                    process.sandbox.event(daemon.refusal("evil.test", 443))
                told = await socket.receive_json()
                assert (told["type"], told["name"], told["count"]) == ("denied", "evil.test", 1)
                await socket.send_str('{"type": "eof"}')
                _, rest = await until_exit(socket)
            assert [each["count"] for each in rest[-1]["run"]["denied"]] == [3]

    play(conversation())


def test_cancel_ends_the_command_and_the_exit_says_so(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", detach=False)
            async with daemon.attach(run) as socket:
                await socket.send_str('{"type": "cancel"}')
                _, told = await until_exit(socket)
            assert told[-1]["run"]["state"] == "canceled"

    play(conversation())


def test_signals_and_sizes_reach_the_command(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", detach=False, tty=True)
            async with daemon.attach(run) as socket:
                await socket.send_str('{"type": "resize", "rows": 10, "columns": 20}')
                await socket.send_str('{"type": "signal", "signal": "TERM"}')
                _, told = await until_exit(socket)
            (process,) = daemon.backend.sandboxes[0].processes
            assert process.sizes == [(10, 20)]
            assert told[-1]["execution"]["signal"] == 15

    play(conversation())


@pytest.mark.parametrize("text", ["nonsense", '{"type": "signal", "signal": "SEGV"}'])
def test_a_message_that_is_none_ends_the_attachment_with_its_reason(
    short_path: Path, text: str
) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", detach=False)
            async with daemon.attach(run) as socket:
                await socket.send_str(text)
                _, told = await until_exit(socket)
            assert told[-1]["type"] == "error"
            assert told[-1]["problem"]["code"] == "request_invalid"
            assert (await daemon.finished(run))["state"] == "canceled"

    play(conversation())


def test_a_client_that_vanishes_cancels_its_command(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", detach=False)
            async with daemon.attach(run):
                pass
            assert (await daemon.finished(run))["state"] == "canceled"

    play(conversation())


def test_a_client_that_vanishes_behind_unread_input_is_noticed(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", detach=False, stdin=True)
            socket = await daemon.http.ws_connect(f"http://d{execution_path(run)}/attach")
            for _ in range(64):  # more than every buffer on the way holds
                sending = asyncio.get_running_loop().create_task(socket.send_bytes(b"x" * 65536))
                done, _ = await asyncio.wait((sending,), timeout=0.2)
                if not done:
                    sending.cancel()
                    break
            transport = socket.get_extra_info("socket")
            assert transport is not None
            transport.shutdown(2)
            assert (await daemon.finished(run))["state"] == "canceled"

    play(conversation())


def test_a_client_that_detaches_leaves_its_command_running(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep", detach=False)
            async with daemon.attach(run) as socket:
                await socket.send_str('{"type": "detach"}')
                await socket.receive()
            status, execution = await daemon.ask("GET", execution_path(run))
            assert (status, execution["state"]) == (200, "running")

    play(conversation())


def test_a_second_client_sees_the_same_and_its_going_changes_nothing(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("cat", detach=False, stdin=True)
            async with daemon.attach(run) as owner:
                await owner.send_bytes(b"hello")
                assert (await owner.receive_json())["taken"] == 5
                assert await owner.receive_bytes() == b"\x01hello"
                async with daemon.attach(run) as second:
                    assert (await second.receive_json())["type"] == "position"
                    assert await second.receive_bytes() == b"\x01hello"
                await owner.send_str('{"type": "eof"}')
                _, told = await until_exit(owner)
            assert told[-1]["run"]["state"] == "succeeded"

    play(conversation())


def test_a_great_output_arrives_whole_through_a_small_window(short_path: Path) -> None:
    size = 20_000_000

    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("flood", str(size), detach=False)
            total = 0
            async with daemon.attach(run) as socket:
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.BINARY:
                        total += len(message.data) - 1
                        for sandbox in daemon.host.sandboxes.live:
                            for each in sandbox.runs.values():
                                assert each.started().output.kept_bytes < 5_000_000
            assert total == size

    play(conversation())


def test_attach_follows_on_the_connection_that_made_the_run(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            connector = aiohttp.UnixConnector(str(setting.paths.socket), limit=1)
            async with aiohttp.ClientSession(connector=connector) as http:
                one = Daemon(setting, daemon.host, http)
                run = await one.run("echo", "x", detach=False)
                async with one.attach(run) as socket:
                    assert await socket.receive_bytes() == b"\x01x\n"

    play(conversation())


def test_who_comes_later_begins_where_the_last_one_left(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("cat", detach=False, stdin=True)
            async with daemon.attach(run) as owner:
                await owner.send_bytes(b"hello world")
                assert (await owner.receive_json())["taken"] == 11
                assert await owner.receive_bytes() == b"\x01hello world"
                await owner.send_str('{"type": "detach", "stdout": 6, "stderr": 0}')
                await owner.receive()
            url = f"http://d{execution_path(run)}/attach"
            async with daemon.http.ws_connect(f"{url}?from=left") as back:
                place = await back.receive_json()
                assert (place["type"], place["stdout"], place["stdout_from"]) == ("position", 11, 6)
                assert await back.receive_bytes() == b"\x01world"
                async with daemon.http.ws_connect(url) as other:
                    assert (await other.receive_json())["stdout_from"] == 0
                    assert await other.receive_bytes() == b"\x01hello world"
                    await other.send_bytes(b"!")  # both may type, both see it
                    assert await back.receive_bytes() == b"\x01!"
            # `back` and `other` vanished without a word, and it runs on
            status, execution = await daemon.ask("GET", execution_path(run))
            assert (status, execution["state"], execution["stdin"]) == (200, "running", True)
            status, problem = await daemon.ask("GET", f"{execution_path(run)}/attach?from=middle")
            assert (status, "start, left" in problem["detail"]) == (400, True)

    play(conversation())


def test_what_memory_has_dropped_comes_from_disk_but_not_for_a_terminal(short_path: Path) -> None:
    size = 6_000_000

    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            for tty, begins in ((False, {0}), (True, set(range(1, size)))):
                run = await daemon.run("flood", str(size), tty=tty)
                await daemon.until_output(run, size)
                async with daemon.attach(run) as socket:
                    place = await socket.receive_json()
                    assert place["stdout_from"] in begins
                    data, told = await until_exit(socket)
                assert len(data) == size - place["stdout_from"]
                assert [each["type"] for each in told] == ["exit"]

    play(conversation())


def test_bytes_that_nobody_has_any_more_are_said(short_path: Path) -> None:
    setting = Setting(short_path)
    setting.config_text += "limits:\n  kept_output: 1MiB\n  output_on_disk: 1MiB\n"

    async def conversation() -> None:
        async with running(setting) as daemon:
            run = await daemon.run("flood", "6000000")
            await daemon.finished(run)
            async with daemon.attach(run) as socket:
                assert (await socket.receive_json())["type"] == "position"
                data, told = await until_exit(socket)
            assert [each["type"] for each in told] == ["gap", "exit"]
            assert len(data) + told[0]["missing"] == 6_000_000

    play(conversation())


def test_a_disk_that_fails_is_the_last_word(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_self: Transcript) -> None:
        raise Fault(Code.INTERNAL, "cannot read the output: broken")

    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("sleep")
            monkeypatch.setattr(Transcript, "take", fail)
            async with daemon.attach(run) as socket:
                _, told = await until_exit(socket)
            assert [each["type"] for each in told] == ["position", "error"]

    play(conversation())
