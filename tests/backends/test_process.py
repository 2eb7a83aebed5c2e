import asyncio
import os
import resource
import signal
from dataclasses import replace

import pytest

from cleanroom.backends.process import (
    Bounds,
    Captured,
    Launch,
    capture,
    capture_within,
    find_program,
    memory_file,
    read_memory,
    start,
)
from cleanroom.errors import Code, Fault


def test_a_child_has_exactly_the_environment_it_was_given() -> None:
    captured = asyncio.run(capture(Launch(("/usr/bin/env",), {"ONLY": "this"}), 5))
    assert (captured.status, captured.stdout) == (0, b"ONLY=this\n")


def test_a_child_has_only_the_descriptors_it_was_given() -> None:
    with memory_file() as named, memory_file() as other:
        os.set_inheritable(other.fileno(), True)  # noqa: FBT003 -- its only form
        script = f"cd /proc/self/fd; test -e {named.fileno()} && test ! -e {other.fileno()}"
        launch = Launch(("/bin/sh", "-c", script), pass_fds=(named.fileno(),))
        assert asyncio.run(capture(launch, 5)).status == 0


def test_a_childs_output_and_error_are_kept_apart() -> None:
    captured = asyncio.run(capture(Launch(("/bin/sh", "-c", "echo out; echo err >&2; exit 3")), 5))
    assert (captured.status, captured.stdout, captured.stderr) == (3, b"out\n", b"err\n")


def test_a_grandchild_that_keeps_the_output_open_holds_up_nobody() -> None:
    launch = Launch(("/bin/sh", "-c", "sleep 20 & echo $!"))
    captured = asyncio.run(capture(launch, 5))
    os.kill(int(captured.stdout), signal.SIGKILL)
    assert captured.status == 0


def test_a_command_that_takes_too_long_is_killed_and_reported() -> None:
    with pytest.raises(Fault) as caught:
        asyncio.run(capture(Launch(("/bin/sleep", "20")), 0.05))
    assert caught.value.code is Code.RUNTIME_LAUNCH_FAILED
    assert "longer than" in caught.value.message


def test_a_child_has_the_limits_it_was_given_and_its_output_an_end() -> None:
    bounds = Bounds(5, 3, ((resource.RLIMIT_NOFILE, 77),))
    launch = Launch(("/bin/sh", "-c", "read go; ulimit -n >&2; echo longer"))

    async def scenario() -> Captured:
        reader, writer = os.pipe()
        asyncio.get_running_loop().call_soon(os.close, writer)  # it has its limits by then
        try:
            return await capture_within(replace(launch, stdin=reader), bounds)
        finally:
            os.close(reader)

    captured = asyncio.run(scenario())
    assert (captured.stdout, captured.stderr) == (b"lon", b"77\n")


def test_a_program_that_does_not_exist_is_a_fault_that_names_it() -> None:
    with pytest.raises(Fault, match="cannot start /nowhere/at/all: No such file"):
        start(Launch(("/nowhere/at/all",)))


def test_several_tasks_may_wait_for_one_child() -> None:
    async def scenario() -> list[int]:
        child = start(Launch(("/bin/sleep", "20")))
        waits = asyncio.gather(child.wait(), child.wait())
        await asyncio.sleep(0)
        child.kill()
        statuses = list(await waits)
        child.kill()  # ignored
        return [*statuses, await child.wait()]

    assert asyncio.run(scenario()) == [-signal.SIGKILL] * 3


def test_a_memory_file_gives_back_what_was_written() -> None:
    with memory_file(b"bytes") as file:
        assert (os.read(file.fileno(), 9), read_memory(file)) == (b"bytes", b"bytes")


def test_programs_are_found_in_system_folders_only() -> None:
    assert find_program("env") == "/usr/bin/env"
    assert find_program("no-such-program") is None
