"""Who owns what in a workspace: the sandbox is its owner, and nobody else.

Promise I3. As root the workspace is somebody else's, as anybody else it is one's own.
"""

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from cleanroom.backends.namespaces import NamespacesBackend
from cleanroom.sandbox.spec import Overlay
from tests.backends.machines import small_spec, started, within, workspace_of
from tests.escape.hostile import report

pytestmark = [pytest.mark.escape, pytest.mark.usefixtures("programs")]

OWNER, GROUP, STRANGER = 12345, 12346, 54321
ROOT = os.geteuid() == 0

PROGRAM = """
import os, stat
def ids(path):
    facts = os.stat(path)
    return [facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)]
def write(path):
    with open(path, "a") as file:
        file.write("more")
result = {
    "own": [ids("own"), attempt(write, "own")],
    "new": [attempt(write, "new"), ids("new")[:2]],
    "shared": [attempt(write, "shared/new"), ids("shared/new")[:2], ids("shared")],
    "others": [attempt(open, "others"), attempt(write, "others"), attempt(os.chmod, "others", 511)],
    "group": [attempt(write, "group"), ids("group")[1]],
    "roots": [attempt(open, "roots"), attempt(os.chmod, "roots", 511)],
}
"""


def test_the_owners_files_are_the_sandboxs_and_no_others(short_path: Path) -> None:
    repo = Path(workspace_of(short_path).lowers[0])
    (repo / "shared").mkdir()
    for name in ("own", "others", "group", "roots"):
        (repo / name).write_text(name)
        (repo / name).chmod(0o600)
    (repo / "group").chmod(0o660)
    if ROOT:
        for path in (repo, *repo.iterdir()):
            os.chown(path, OWNER, GROUP)
        os.chown(repo / "others", STRANGER, STRANGER)
        os.chown(repo / "group", STRANGER, GROUP)
        os.chown(repo / "roots", 0, 0)
    (repo / "shared").chmod(0o2775)
    spec = small_spec(short_path)
    (repo / "file").unlink()
    owned = (OWNER, GROUP) if ROOT else (os.geteuid(), os.getegid())
    mounts = tuple(
        dataclasses.replace(mount, owner_uid=owned[0], owner_gid=owned[1])
        if isinstance(mount, Overlay)
        else mount
        for mount in spec.mounts
    )

    texts = {path.name: path.read_text() for path in repo.iterdir() if path.is_file()}

    async def scenario() -> Any:  # noqa: ANN401 -- JSON of our own making
        backend = NamespacesBackend(short_path / "state")
        async with started(backend, dataclasses.replace(spec, mounts=mounts)) as sandbox:
            return await report(sandbox, PROGRAM)

    seen = within(20, scenario())
    own = [1000, 1000]
    assert seen["own"] == [[*own, 0o600], "done"]  # the control
    assert seen["new"] == ["done", own]
    assert seen["shared"] == ["done", own, [*own, 0o2775]]
    assert seen["group"] == ["done", 1000]
    # As an ordinary user those are one's own as well.
    assert seen["others"] == (["EACCES", "EACCES", "EPERM"] if ROOT else ["done"] * 3)
    assert seen["roots"] == (["EACCES", "EPERM"] if ROOT else ["done"] * 2)
    assert {path.name: path.read_text() for path in repo.iterdir() if path.is_file()} == texts
    assert (repo / "own").stat().st_uid == owned[0]
