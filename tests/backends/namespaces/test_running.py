"""A running sandbox: its refresh, its limits, its end."""

import asyncio
import dataclasses
import os
import signal
from pathlib import Path

import pytest

from cleanroom.backends.namespaces import NamespacesBackend
from cleanroom.errors import Code, Fault, Refused
from cleanroom.policy.demands import Limits
from cleanroom.sandbox.spec import Overlay
from tests.backends.machines import (
    python,
    run,
    shell,
    small_spec,
    started,
    within,
)

pytestmark = pytest.mark.usefixtures("programs")


def make(folder: Path) -> NamespacesBackend:
    return NamespacesBackend(folder / "state")


def test_a_refresh_shows_what_the_host_edited_and_keeps_what_was_changed_inside(
    short_path: Path,
) -> None:
    async def scenario() -> None:
        async with started(make(short_path), small_spec(short_path)) as sandbox:
            await run(sandbox, shell("cat file; echo inside > kept; mkdir gone"))
            edited = short_path / "repo" / "new"
            edited.write_text("edited on the host\n")
            edited.rename(short_path / "repo" / "file")  # as editors save
            stale = await run(sandbox, shell("cat file"))
            assert stale.text == "from the host\n"  # the control: without a refresh it is not seen
            await sandbox.refresh()
            assert (
                await run(sandbox, shell("cat file kept"))
            ).text == "edited on the host\ninside\n"

    within(10, scenario())


def test_a_refresh_cannot_be_led_to_another_mount(short_path: Path) -> None:
    spec = small_spec(short_path)
    *rest, workspace = spec.mounts
    assert isinstance(workspace, Overlay)
    inside_tmp = dataclasses.replace(workspace, targets=("/workspace", "/tmp/own/view"))  # noqa: S108
    hostile = dataclasses.replace(spec, mounts=(*rest, inside_tmp))

    async def scenario() -> None:
        async with started(make(short_path), hostile) as sandbox:
            swapped = await run(sandbox, shell("mv /tmp/own /tmp/old && ln -s /proc /tmp/own"))
            assert swapped.status == 0
            with pytest.raises(Fault, match="cannot mount the workspace anew"):
                await sandbox.refresh()
            await sandbox.wait()
            assert sandbox.failure is not None

    within(10, scenario())


def test_the_death_of_the_runtime_ends_everything(short_path: Path) -> None:
    async def scenario() -> None:
        async with started(make(short_path), small_spec(short_path)) as sandbox:
            os.kill(sandbox.pid, signal.SIGKILL)
            await sandbox.wait()

    within(10, scenario())


def test_open_files_are_limited_and_a_later_command_works(short_path: Path) -> None:
    spec = dataclasses.replace(small_spec(short_path), limits=Limits(open_files=64))

    async def scenario() -> None:
        async with started(make(short_path), spec) as sandbox:
            said = await run(sandbox, shell("ulimit -n; ulimit -n 65 || true"))
            assert said.text.startswith("64\n")
            assert "rlimit 64" in sandbox.limited["open_files"]
            assert (await run(sandbox, shell("true"))).status == 0

    within(10, scenario())


def test_processes_are_limited_and_a_later_command_works(short_path: Path) -> None:
    spec = dataclasses.replace(small_spec(short_path), limits=Limits(pids=30))
    script = "for i in $(seq 60); do sleep 20 & done; echo unreached"

    async def scenario() -> None:
        async with started(make(short_path), spec) as sandbox:
            bomb = await run(sandbox, shell(script))
            assert "fork" in bomb.text
            await run(sandbox, shell("kill -9 -1"))
            assert (await run(sandbox, shell("echo fine"))).text == "fine\n"

    within(20, scenario())


def test_a_sandbox_that_writes_too_much_is_ended_with_its_reason(short_path: Path) -> None:
    spec = dataclasses.replace(small_spec(short_path), limits=Limits(disk_bytes=8 << 20))
    script = "for i in $(seq 100); do head -c 1000000 /dev/zero > $i; done; echo; sleep 20"

    async def scenario() -> None:
        async with started(make(short_path), spec) as sandbox:
            process = await sandbox.execute(shell(script))
            with pytest.raises(Refused) as refused:
                await process.wait()
            await sandbox.wait()
            assert sandbox.failure is refused.value
            assert sandbox.failure.code is Code.RESOURCE_LIMIT

    within(20, scenario())


def test_one_file_cannot_pass_the_disk_limit(short_path: Path) -> None:
    spec = dataclasses.replace(small_spec(short_path), limits=Limits(disk_bytes=1 << 20))

    async def scenario() -> None:
        async with started(make(short_path), spec) as sandbox:
            said = await run(sandbox, shell("head -c 9000000 /dev/zero > big"))
            assert said.status != 0

    within(10, scenario())
    assert (short_path / "run" / "upper" / "big").stat().st_size <= 1 << 20


def test_grace_lets_a_command_end_itself(short_path: Path) -> None:
    script = "trap 'echo ended > note; exit' TERM; echo up; sleep 20 & wait"

    async def scenario() -> None:
        async with started(make(short_path), small_spec(short_path)) as sandbox:
            process = await sandbox.execute(shell(script))
            async for _ in process.output():
                break
            await sandbox.stop(5)

    within(10, scenario())
    assert (short_path / "run" / "upper" / "note").read_text() == "ended\n"


def test_grace_ends_for_a_command_that_does_not(short_path: Path) -> None:
    async def scenario() -> None:
        async with started(make(short_path), small_spec(short_path)) as sandbox:
            process = await sandbox.execute(shell("trap '' TERM; echo up; sleep 20"))
            async for _ in process.output():
                break
            await sandbox.stop(0.1)

    within(5, scenario())


def test_stopping_from_several_sides_is_one_end(short_path: Path) -> None:
    async def scenario() -> None:
        async with started(make(short_path), small_spec(short_path)) as sandbox:
            await asyncio.gather(*(sandbox.stop() for _ in range(5)), sandbox.wait())

    within(5, scenario())


LISTENS = """
import socket, sys
server = socket.create_server(('127.0.0.1', 7000))
print('ready', flush=True)
one, _ = server.accept()
got = b''
while data := one.recv(65536):
    got += data
one.sendall(got[::-1])
one.close()
"""


def test_a_port_inside_is_reached_both_ways_and_ends(short_path: Path) -> None:
    async def scenario() -> None:
        async with started(make(short_path), small_spec(short_path)) as sandbox:
            unheard = await sandbox.connect(7000)
            said = [piece async for piece in unheard.output()]
            assert (await unheard.wait()).code == 1
            assert {piece.stream for piece in said} == {2}
            server = await sandbox.execute(python(LISTENS))
            assert (await anext(aiter(server.output()))).data == b"ready\n"
            connection = await sandbox.connect(7000)
            content = os.urandom(300_000)
            await connection.write_stdin(content)
            await connection.close_stdin()
            heard = b"".join([piece.data async for piece in connection.output()])
            assert heard == content[::-1]
            assert (await connection.wait()).code == 0

    within(60, scenario())
