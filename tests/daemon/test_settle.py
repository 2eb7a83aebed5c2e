"""The person's word is stronger than the operator's, which is stronger than the default."""

import pytest

from cleanroom.api.mount_types import WorkspaceMode
from cleanroom.api.types import RunOptions
from cleanroom.daemon.settings import Settings, WorkspaceSettings
from cleanroom.daemon.settle import settle


@pytest.mark.parametrize(
    ("said", "configured", "settled"),
    [(None, "cow", "cow"), (None, "ro", "ro"), ("cow", "ro", "cow"), ("ro", "cow", "ro")],
)
def test_a_mode_is_settled(
    said: WorkspaceMode | None, configured: WorkspaceMode, settled: WorkspaceMode
) -> None:
    settings = Settings(workspace=WorkspaceSettings(mode=configured))
    assert settle(RunOptions(workspace_mode=said), settings).workspace_mode == settled
