"""The namespaces backend on this machine, as the user that runs the tests."""

import asyncio
import dataclasses
import json
import os
from pathlib import Path

import pytest

from cleanroom.backends.base import Backend
from cleanroom.backends.launcher import LaunchError
from cleanroom.backends.namespaces import NamespacesBackend
from cleanroom.backends.namespaces.backend import owner_instead
from cleanroom.backends.namespaces.plan import Ids
from cleanroom.errors import Code, Refused
from cleanroom.sandbox.spec import Overlay
from tests.backends.conformance import Conformance
from tests.backends.machines import (
    KeptDoor,
    children,
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


def test_the_plan_can_be_shown_without_starting_anything(short_path: Path) -> None:
    before = children()  # other tests' orphans may have been given to this process
    shown = make(short_path).show_plan(small_spec(short_path))
    assert any(line.startswith("exec ") and "--disable-userns" in line for line in shown)
    assert children() <= before


@pytest.mark.parametrize(
    ("step", "uid", "gid", "instead"),
    [
        ("idmap", 1001, 1002, Ids(1001, 1002)),
        ("idmap", 0, 1002, None),  # never host root
        ("idmap", 1001, 0, None),
        ("overlay", 1001, 1002, None),
    ],
)
def test_only_a_file_system_without_id_maps_is_run_as_its_owner(
    short_path: Path, step: str, uid: int, gid: int, instead: Ids | None
) -> None:
    spec = small_spec(short_path)
    owned = tuple(
        dataclasses.replace(mount, owner_uid=uid, owner_gid=gid)
        if isinstance(mount, Overlay)
        else mount
        for mount in spec.mounts
    )
    asked = dataclasses.replace(spec, mounts=owned)
    assert owner_instead(asked, LaunchError(step, "no")) == instead
