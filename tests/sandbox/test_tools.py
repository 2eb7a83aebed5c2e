"""A tool the caller has and the sandbox does not see."""

import pytest

from cleanroom.sandbox.host import HostFacts, Link, ToolFolder, WorkspaceView
from cleanroom.sandbox.tools import (
    NOT_EXECUTABLE,
    NOT_FOUND,
    is_inside,
    not_started,
    outside_view,
    tool_folder,
)

HOST = HostFacts(("/usr",), (Link("/bin", "usr/bin"),), (), b"", (ToolFolder("/opt/node"),))
VIEW = WorkspaceView("/home/x/repo", ())


@pytest.mark.parametrize(
    "path",
    ["/usr/bin/npm", "/bin/sh", "/opt/node/bin/npm", "/home/x/repo/.venv/bin/pytest"],
)
def test_what_the_sandbox_sees(path: str) -> None:
    assert is_inside(path, HOST, VIEW)


@pytest.mark.parametrize(
    "path",
    ["/home/x/repository/tool", "/home/x/.nvm/versions/node/v22/bin/npm", "/usrlocal/bin/x"],
)
def test_what_it_does_not_see(path: str) -> None:
    assert not is_inside(path, HOST, VIEW)


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/home/x/.nvm/versions/node/v22/bin/npm", "/home/x/.nvm"),
        ("/home/x/.local/share/uv/tools/ruff/bin/ruff", "/home/x/.local/share/uv"),
        ("/nix/store/abc-node/bin/node", "/nix/store"),
        ("/opt/go/bin/go", "/opt/go"),
        ("/home/x/.local/bin/ruff", "/home/x/.local/bin"),
        ("/home/x/.local/share/claude/versions/2.1", "/home/x/.local/share/claude/versions"),
        ("/home/x/scripts/deploy", "/home/x/scripts"),
        ("/bin/x", "/bin"),
        ("/opt/bin/x", "/opt/bin"),
    ],
)
def test_the_folder_to_name(path: str, folder: str) -> None:
    assert tool_folder(path) == folder


def test_the_sentence_names_where_it_is_and_the_line_to_add() -> None:
    found = ("/home/x/.local/bin/ruff", "/home/x/.local/share/uv/tools/ruff/bin/ruff")
    assert outside_view("ruff", found, HOST, VIEW) == (
        "'ruff' is /home/x/.local/bin/ruff for you, which the sandbox does not see;"
        " add to config.yaml:  tools: [/home/x/.local/bin, /home/x/.local/share/uv]"
    )


@pytest.mark.parametrize("found", [(), ("/usr/bin/npm", "/usr/lib/npm/cli.js")])
def test_what_is_inside_or_nowhere_needs_no_sentence(found: tuple[str, ...]) -> None:
    assert outside_view("npm", found, HOST, VIEW) is None


def test_what_to_do_about_a_word_that_is_no_program() -> None:
    assert not_started("./run.sh", NOT_EXECUTABLE).endswith("name its interpreter: sh ./run.sh")
    assert "no ./run.sh is inside" in not_started("./run.sh", NOT_FOUND)
    assert "PATH has 'jq'" in not_started("jq", NOT_FOUND)
    assert not_started("cd", NOT_FOUND).endswith("one argument: exec -- 'cd …'")
