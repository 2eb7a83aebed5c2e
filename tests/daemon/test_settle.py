"""The person's word is stronger than the operator's, which is stronger than the default."""

import pytest

from cleanroom.api.mount_types import MountRequest, WorkspaceMode
from cleanroom.api.types import RunOptions
from cleanroom.daemon.settings import Settings, WorkspaceSettings
from cleanroom.daemon.settle import sandbox_stays, settle
from cleanroom.errors import UserError


@pytest.mark.parametrize(
    ("said", "configured", "settled"),
    [(None, "cow", "cow"), (None, "ro", "ro"), ("cow", "ro", "cow"), ("ro", "cow", "ro")],
)
def test_a_mode_is_settled(
    said: WorkspaceMode | None, configured: WorkspaceMode, settled: WorkspaceMode
) -> None:
    settings = Settings(workspace=WorkspaceSettings(mode=configured))
    assert settle(RunOptions(workspace_mode=said), settings).workspace_mode == settled


def test_the_operators_mounts_are_beside_the_persons_and_never_in_their_place() -> None:
    theirs = (MountRequest(path="/d", writable=True), MountRequest(path="/x", at="/e"))
    settings = Settings(workspace=WorkspaceSettings(mounts=theirs))
    assert settle(RunOptions(), settings).mounts == list(theirs)
    mine = [MountRequest(path="/d"), MountRequest(path="/y")]
    assert settle(RunOptions(mounts=mine), settings).mounts == [*mine, theirs[1]]


@pytest.mark.parametrize(
    ("options", "stays"),
    [
        (RunOptions(), False),
        (RunOptions(keep=True, idle_s=60), True),
        (RunOptions(reuse=True), True),
        (RunOptions(sandbox="dev", idle_s=60), True),
    ],
    ids=str,
)
def test_which_sandboxes_stay(options: RunOptions, *, stays: bool) -> None:
    assert sandbox_stays(options) is stays


def test_an_idle_time_is_of_one_that_stays() -> None:
    with pytest.raises(UserError, match="ends with its command"):
        sandbox_stays(RunOptions(idle_s=60))
