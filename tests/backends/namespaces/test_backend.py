"""The namespaces backend on this machine, as the user that runs the tests."""

import asyncio
import dataclasses
import json
import os
import signal
from pathlib import Path

import pytest

from cleanroom.backends.base import Backend
from cleanroom.backends.namespaces import NamespacesBackend
from cleanroom.errors import Code, Fault, Refused
from cleanroom.policy.model import Limits
from cleanroom.sandbox.spec import Bind, Overlay
from tests.backends.conformance import Conformance
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


class TestNamespaces(Conformance):
    def backend(self, folder: Path) -> Backend:
        return NamespacesBackend(folder / "state")


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


def test_without_bubblewrap_the_repair_is_named(short_path: Path) -> None:
    backend = NamespacesBackend(short_path, bubblewrap="/nowhere/bwrap")
    probe = within(5, backend.probe())
    assert not probe.ready
    assert "apt-get install bubblewrap" in probe.missing["bubblewrap"]
    with pytest.raises(Refused) as caught:
        within(5, backend.start(small_spec(short_path), KeptDoor()))
    assert caught.value.code is Code.BACKEND_UNAVAILABLE


def test_an_old_bubblewrap_is_refused(short_path: Path) -> None:
    old = short_path / "bwrap"
    old.write_text("#!/bin/sh\necho bubblewrap 0.7.9\n")
    old.chmod(0o755)
    probe = within(5, NamespacesBackend(short_path, bubblewrap=str(old)).probe())
    assert "0.7.9" in probe.missing["bubblewrap"]


def test_a_bubblewrap_that_fails_is_quoted(short_path: Path) -> None:
    broken = short_path / "bwrap"
    broken.write_text("#!/bin/sh\n[ $# = 1 ] && exec echo bubblewrap 0.9.0\necho it broke >&2\n")
    broken.chmod(0o755)
    short_path.chmod(0o755)  # the sandbox's own user runs it
    probe = within(5, NamespacesBackend(short_path, bubblewrap=str(broken)).probe())
    assert not probe.ready
    assert "it broke" in probe.missing["namespaces"]


def test_the_death_of_the_runtime_ends_everything(short_path: Path) -> None:
    async def scenario() -> None:
        async with started(make(short_path), small_spec(short_path)) as sandbox:
            os.kill(sandbox.pid, signal.SIGKILL)
            await sandbox.wait()

    within(10, scenario())


def test_reclaim_ends_a_sandbox_whose_record_is_found(short_path: Path) -> None:
    async def scenario() -> None:
        async with started(make(short_path), small_spec(short_path)) as sandbox:
            record = short_path / "state" / "sandboxes" / "sbx_test" / "runtime.json"
            assert json.loads(record.read_text())["pid"] == sandbox.pid
            async with asyncio.TaskGroup() as group:
                group.create_task(sandbox.wait())  # reaps, as a dead daemon's adopter does
                await make(short_path).reclaim("sbx_test")
            assert not record.exists()

    within(10, scenario())


def test_reclaim_does_not_touch_a_process_that_reused_the_number(short_path: Path) -> None:
    folder = short_path / "state" / "sandboxes" / "sbx_test"
    folder.mkdir(parents=True)
    (folder / "runtime.json").write_text(json.dumps({"pid": os.getpid(), "started": 1}))
    within(5, make(short_path).reclaim("sbx_test"))
    assert not folder.exists()


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
            await sandbox.execute(shell(script))
            await sandbox.wait()
            assert sandbox.failure is not None
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


def test_the_plan_can_be_shown_without_starting_anything(short_path: Path) -> None:
    shown = make(short_path).show_plan(small_spec(short_path))
    assert any(line.startswith("exec ") and "--disable-userns" in line for line in shown)
    assert children() == set()
