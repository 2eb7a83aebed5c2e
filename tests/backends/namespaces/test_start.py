"""Starting a sandbox: what it is given, and that a failed start leaves nothing."""

import asyncio
import contextlib
import dataclasses
from pathlib import Path

import pytest

from cleanroom.backends.base import DoorSockets
from cleanroom.backends.namespaces import NamespacesBackend
from cleanroom.errors import Code, Fault
from cleanroom.sandbox.spec import Bind
from tests.backends.machines import (
    BrokenDoor,
    KeptDoor,
    children,
    descriptors,
    run,
    shell,
    small_spec,
    started,
    within,
)

pytestmark = pytest.mark.usefixtures("programs")


def make(folder: Path) -> NamespacesBackend:
    return NamespacesBackend(folder / "state")


def test_the_workspace_is_copy_on_write(short_path: Path) -> None:
    async def scenario() -> None:
        async with started(make(short_path), small_spec(short_path)) as sandbox:
            said = await run(
                sandbox, shell("cat file; echo changed > file; echo new > made; cat file")
            )
            assert said.text == "from the host\nchanged\n"

    within(10, scenario())
    assert (short_path / "repo" / "file").read_text() == "from the host\n"
    assert (short_path / "run" / "upper" / "file").read_text() == "changed\n"
    assert (short_path / "run" / "upper" / "made").read_text() == "new\n"


def test_a_thing_bound_read_only_cannot_be_written(short_path: Path) -> None:
    (short_path / "data").mkdir()
    (short_path / "data" / "file").write_text("data")
    (short_path / "data").chmod(0o777)

    async def scenario() -> None:
        data = str(short_path / "data")
        spec = small_spec(short_path, Bind(data, "/ro"), Bind(data, "/rw", writable=True))
        async with started(make(short_path), spec) as sandbox:
            assert (await run(sandbox, shell("cat /ro/file"))).text == "data"
            assert "Read-only" in (await run(sandbox, shell("touch /ro/new"))).text
            assert (await run(sandbox, shell("touch /rw/new"))).status == 0

    within(10, scenario())


def test_nothing_is_left_of_starts_that_failed_or_ended(short_path: Path) -> None:
    backend = make(short_path)
    within(10, backend.probe())
    before = (children(), descriptors())

    async def scenario() -> None:
        for _ in range(3):
            async with started(backend, small_spec(short_path)):
                pass
            with pytest.raises(Fault):
                await backend.start(small_spec(short_path), BrokenDoor())
            with pytest.raises(Fault):
                await backend.start(small_spec(short_path, Bind("/nowhere", "/here")), KeptDoor())

    within(20, scenario())
    assert (children(), descriptors()) == before
    assert list((short_path / "state" / "sandboxes").iterdir()) == []


def test_a_mount_that_does_not_exist_is_named(short_path: Path) -> None:
    spec = small_spec(short_path, Bind("/nowhere", "/here"))
    with pytest.raises(Fault, match=r"mount\): /nowhere: No such file") as caught:
        within(10, make(short_path).start(spec, KeptDoor()))
    assert caught.value.code is Code.RUNTIME_LAUNCH_FAILED


def test_a_start_that_is_cancelled_leaves_nothing(short_path: Path) -> None:
    backend = make(short_path)
    within(10, backend.probe())
    before = (children(), descriptors())

    class SlowDoor(KeptDoor):
        async def attach(self, sockets: DoorSockets) -> None:
            await super().attach(sockets)
            await asyncio.Event().wait()

    async def scenario() -> None:
        door = SlowDoor()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await backend.start(small_spec(short_path), door)
        assert door.sockets is not None  # it came that far
        door.close()

    within(5, scenario())
    assert (children(), descriptors()) == before


def test_the_steps_of_a_start_are_timed(short_path: Path) -> None:
    async def scenario() -> None:
        async with started(make(short_path), small_spec(short_path)) as sandbox:
            times = dataclasses.asdict(sandbox.timings)
            assert times.pop("rootfs_ms") is None  # bubblewrap makes it while it starts
            assert all(value > 0 for value in times.values())
            parts = sum(value for key, value in times.items() if key != "ready_ms")
            assert parts == pytest.approx(times["ready_ms"])

    within(5, scenario())
