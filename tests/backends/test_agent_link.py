"""The real agent over a real socket, outside a sandbox; and agents that lie."""

import asyncio
import hashlib
import os
import resource
import select
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from cleanroom.backends.agent_link import AgentLink, AgentProcess
from cleanroom.backends.base import Command, Exit
from cleanroom.backends.process import Launch, start
from cleanroom.errors import Code, Fault, UserError

PATH = (("PATH", "/usr/bin:/bin"),)
Body = Callable[[AgentLink], Awaitable[None]]


@asynccontextmanager
async def agent(programs: Path, *options: str) -> AsyncIterator[AgentLink]:
    """A link to an agent of its own; nothing of it is left afterwards."""
    ours, theirs = socket.socketpair()
    with theirs:
        child = start(
            Launch(
                (str(programs / "cleanroom-agent"), str(theirs.fileno()), *options),
                pass_fds=(theirs.fileno(),),
            )
        )
    link = AgentLink(ours)
    try:
        await link.ready()
        yield link
    finally:
        link.close()
        await child.wait()


def has_ended(pid: int) -> bool:
    """Wait for a process that is not ours to be gone, at most the test's own time."""
    with suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            select.select([pidfd], [], [])
        finally:
            os.close(pidfd)
    return True


def shell(script: str, *, tty: bool = False) -> Command:
    return Command(("/bin/sh", "-c", script), PATH, "/", tty=tty)


async def finish(process: AgentProcess) -> tuple[bytes, bytes, Exit]:
    """stdout, stderr and the end."""
    streams = {1: bytearray(), 2: bytearray()}
    async for output in process.output():
        streams[output.stream] += output.data
    return bytes(streams[1]), bytes(streams[2]), await process.wait()


def with_agent(programs: Path, body: Body, *options: str) -> None:
    async def run() -> None:
        async with agent(programs, *options) as link:
            await body(link)

    asyncio.run(run())


async def ran(link: AgentLink, command: Command) -> tuple[bytes, bytes, Exit]:
    process = await link.execute(command)
    await process.close_stdin()
    return await finish(process)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo out; echo err >&2; exit 3", (b"out\n", b"err\n", Exit(3))),
        ("kill -9 $$", (b"", b"", Exit(None, 9))),
        ("cat", (b"", b"", Exit(0))),
        ("echo $PATH; env | wc -l", (b"/usr/bin:/bin\n2\n", b"", Exit(0))),
    ],
)
def test_a_command_ends_as_it_ended(
    programs: Path, script: str, expected: tuple[bytes, bytes, Exit]
) -> None:
    async def body(link: AgentLink) -> None:
        assert await ran(link, shell(script)) == expected

    with_agent(programs, body)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (Command(("no-such-tool",), PATH, "/"), 127, "cannot run 'no-such-tool': No such file"),
        (Command(("/etc/passwd",), PATH, "/"), 126, "cannot run '/etc/passwd': Permission"),
        (Command(("true",), PATH, "/nowhere"), 126, "cannot enter '/nowhere': No such file"),
        (Command(("true",), (("PATH", "/nowhere"),), "/"), 127, "cannot run 'true'"),
    ],
)
def test_a_command_that_does_not_start_says_why(
    programs: Path, command: Command, code: int, said: str
) -> None:
    async def body(link: AgentLink) -> None:
        out, err, end = await ran(link, command)
        assert (out, err, end.code) == (b"", b"", code)
        assert end.error.startswith(said)

    with_agent(programs, body)


def test_stdin_of_any_size_passes_through(programs: Path) -> None:
    data = os.urandom(5_000_000)
    expected = hashlib.md5(data, usedforsecurity=False).hexdigest()

    async def body(link: AgentLink) -> None:
        process = await link.execute(shell("md5sum"))
        await process.write_stdin(data)
        await process.close_stdin()
        out, _, end = await finish(process)
        assert (out, end) == (f"{expected}  -\n".encode(), Exit(0))

    with_agent(programs, body)


def test_writing_to_a_command_that_does_not_read_ends_with_it(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        process = await link.execute(shell("exec sleep 0.1"))
        await process.write_stdin(b"x" * 1_000_000)
        await process.close_stdin()
        await process.signal(signal.SIGTERM)
        assert (await finish(process))[2] == Exit(0)
        await process.write_stdin(b"too late")
        await process.signal(signal.SIGTERM)

    with_agent(programs, body)


def test_a_signal_reaches_the_whole_group(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        process = await link.execute(shell("sleep 60 & sleep 60 & echo up; wait"))
        output = process.output()
        assert (await anext(output)).data == b"up\n"
        await process.signal(signal.SIGTERM)
        assert [each async for each in output] == []  # both sleeps have let go of the pipes
        assert await process.wait() == Exit(None, signal.SIGTERM)

    with_agent(programs, body)


def test_a_stopped_command_can_still_be_killed(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        process = await link.execute(shell("kill -STOP $$; echo never"))
        await process.signal(signal.SIGKILL)
        assert await finish(process) == (b"", b"", Exit(None, signal.SIGKILL))

    with_agent(programs, body)


def test_a_background_process_that_keeps_the_pipes_hangs_nothing(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        began = time.monotonic()
        out, _, end = await ran(link, shell("sleep 60 & echo started $!"))
        assert time.monotonic() - began < 5
        assert end == Exit(0)
        pid = int(out.split()[1])
        os.kill(pid, 0)  # it lives on, as a server that was started would
        os.kill(pid, signal.SIGKILL)

    with_agent(programs, body)


def test_what_a_helper_writes_just_after_the_end_is_not_lost(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        out, _, end = await ran(link, shell("(sleep 0.03; echo late) & echo early"))
        assert (out, end) == (b"early\nlate\n", Exit(0))

    with_agent(programs, body)


def test_a_background_writer_without_end_does_not_hold_up_the_exit(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        script = "setsid sh -c 'echo $$; while :; do echo y; done' & sleep 0.05"
        out, _, end = await ran(link, shell(script))
        assert end == Exit(0)
        assert (await ran(link, shell("echo next")))[0] == b"next\n"
        os.kill(int(out.split()[0]), signal.SIGKILL)

    with_agent(programs, body)


def test_a_gigabyte_passes_with_level_memory(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        process = await link.execute(shell("head -c 1073741824 /dev/zero"))
        total = 0
        async for output in process.output():
            total += len(output.data)
        assert total == 1 << 30
        assert await process.wait() == Exit(0)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown_kib < 32 * 1024

    with_agent(programs, body)


def test_a_command_that_is_not_read_stops_and_holds_up_no_other(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        unread = await link.execute(shell("exec cat /dev/zero"))
        for _ in range(20):
            assert (await ran(link, shell("echo here")))[0] == b"here\n"
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown_kib < 32 * 1024
        await unread.signal(signal.SIGKILL)
        assert (await finish(unread))[2] == Exit(None, signal.SIGKILL)

    with_agent(programs, body)


def test_a_terminal_is_one(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        process = await link.execute(shell("tty; stty size; read word; stty size", tty=True))
        output = process.output()
        seen = b""
        while b"24 80" not in seen:
            seen += (await anext(output)).data
        await process.resize(50, 132)
        await process.write_stdin(b"go\n")
        seen += b"".join([each.data async for each in output])
        assert seen.startswith(b"/dev/pts/")
        assert b"50 132" in seen
        assert await process.wait() == Exit(0)

    with_agent(programs, body)


def test_ctrl_c_on_a_terminal_interrupts_its_foreground_job(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        process = await link.execute(Command(("cat",), PATH, "/", tty=True))
        output = process.output()
        await process.write_stdin(b"up\n")
        seen = b""
        while seen != b"up\r\nup\r\n":  # the terminal's echo, then cat's own: it reads again
            seen += (await anext(output)).data
        await process.write_stdin(b"\x03")
        assert b"".join([each.data async for each in output]) == b"^C"
        assert await process.wait() == Exit(None, signal.SIGINT)

    with_agent(programs, body)


def test_the_end_of_input_reaches_a_terminal(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        assert (await ran(link, shell("cat; echo end", tty=True)))[0] == b"end\r\n"

    with_agent(programs, body)


def test_a_size_means_nothing_without_a_terminal(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        process = await link.execute(shell("cat"))
        await process.resize(1, 1)
        await process.close_stdin()
        assert (await finish(process))[2] == Exit(0)

    with_agent(programs, body)


def test_limits_bind_commands_and_not_the_agent(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        out, _, _ = await ran(link, shell("ulimit -n; ulimit -f; ulimit -c"))
        assert out == b"20\n8\n0\n"
        _, _, end = await ran(link, shell("head -c 100000 /dev/zero > $(mktemp -u /tmp/crXXXXXX)"))
        assert end.status != 0
        assert (await ran(link, shell("echo fine")))[0] == b"fine\n"

    with_agent(programs, body, "--nofile", "20", "--fsize", "4096")


def test_only_0_to_2_are_open_in_a_command(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        out, _, _ = await ran(link, Command(("ls", "/proc/self/fd"), PATH, "/"))
        assert out == b"0\n1\n2\n3\n"  # 3 is ls's own, of the folder it lists

    with_agent(programs, body)


def test_commands_are_many_but_not_without_end(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        living = [await link.execute(shell("exec sleep 60")) for _ in range(128)]
        one_more = await link.execute(shell("true"))
        _, _, end = await finish(one_more)
        assert (end.code, "too many commands" in end.error) == (126, True)
        for process in living:
            await process.signal(signal.SIGKILL)
        for process in living:
            assert (await finish(process))[2] == Exit(None, signal.SIGKILL)
        assert (await ran(link, shell("echo again")))[0] == b"again\n"

    with_agent(programs, body)


def test_hanging_up_ends_what_runs(programs: Path) -> None:
    async def run() -> int:
        async with agent(programs) as link:
            process = await link.execute(shell("echo $$; exec sleep 60"))
            output = process.output()
            pid = int((await anext(output)).data)
            link.close()
            link.close()
            assert [each async for each in output] == []
            with pytest.raises(Fault) as error:
                await process.wait()
            assert error.value.code is Code.BACKEND_TRANSPORT_ERROR
            with pytest.raises(Fault):
                await link.execute(shell("true"))
            await process.signal(signal.SIGTERM)
            await link.closed()
        return pid

    pid = asyncio.run(run())
    assert has_ended(pid)


def test_words_that_cannot_be_passed_leave_the_link_as_it_was(programs: Path) -> None:
    async def body(link: AgentLink) -> None:
        with pytest.raises(UserError):
            await link.execute(Command(("a\0b",), PATH, "/"))
        assert (await ran(link, shell("echo fine")))[0] == b"fine\n"

    with_agent(programs, body)
