"""Opening what a change set names, in both layers."""

from pathlib import Path

import pytest

from cleanroom.backends.workspace.sources import open_file, open_sources, read_file, read_link
from cleanroom.errors import Fault
from tests.backends.workspace.overlays import Workspace


def test_files_and_links_of_both_layers(workspace: Workspace) -> None:
    workspace.write("d/a", "host")
    workspace.run("echo -n inside > d/a; ln -s a d/l")
    with open_sources(workspace.folder) as sources:
        assert read_file(sources.root, "d/a", 10) == b"host"
        assert read_file(sources.upper, "d/a", 10) == b"inside"
        assert read_file(sources.upper, "d/a", 5) is None
        assert read_link(sources.upper, "d/l") == "a"
        for path in ("d/l", "d/l/x", "none", "none/x", "d"):
            assert open_file(sources.upper, path) is None
            assert read_file(sources.upper, path, 10) is None
        assert read_link(sources.upper, "none/x") is None
        assert read_link(sources.upper, "d/a") is None


@pytest.mark.parametrize("gone", ["repo", "sandbox/workspace/upper"])
def test_a_layer_that_is_gone_is_a_fault(workspace: Workspace, gone: str) -> None:
    workspace.prepare()
    Path(workspace.base / gone).rename(workspace.base / "elsewhere")
    with pytest.raises(Fault, match="cannot open what was changed"), open_sources(workspace.folder):
        pass
