"""What `--workspace` and `--mount` ask for."""

import json

import pytest

from tests.cli.conftest import CommandLine


def options(cli: CommandLine) -> dict[str, object]:
    body = cli.daemon.sent("POST", "/v1/runs").json()
    asked: dict[str, object] = body["options"]
    return asked


def test_folders_are_asked_for_by_their_canonical_paths(cli: CommandLine) -> None:
    (cli.folder / "data").mkdir()
    data = str(cli.folder / "data")
    words = ("--mount", "data", "--mount", f"{data}:/a", "--mount", "./data/:/b:ro")
    assert cli("exec", "--workspace", "ro", *words, "true").status == 0
    assert options(cli) == {
        "workspace_mode": "ro",
        "mounts": [{"path": data}, {"path": data, "at": "/a"}, {"path": data, "at": "/b"}],
    }


def test_a_volume_has_a_name_and_a_place(cli: CommandLine) -> None:
    assert cli("exec", "--volume", "home:/home/cleanroom", "true").status == 0
    assert options(cli) == {"volumes": [{"name": "home", "at": "/home/cleanroom"}]}
    assert cli("exec", "--volume", "a-b.c_1:/a", "true").status == 0


@pytest.mark.parametrize("text", ["", "foo", "COW"])
def test_a_mode_that_there_is_not_is_said(cli: CommandLine, text: str) -> None:
    done = cli("exec", "--workspace", text, "true")
    assert done.status == 2
    assert f"cannot read --workspace {text!r}" in done.err
    assert "write one of cow, ro, live" in done.err
    assert not cli.daemon.requests


@pytest.mark.parametrize(
    "text", ["", "home", ":/a", "home:", "home:a", "../x:/a", "Home:/a", ".a:/a", "h\u00e9:/a"]
)
def test_a_volume_that_cannot_be_read_is_said(cli: CommandLine, text: str) -> None:
    done = cli("exec", "--volume", text, "true")
    assert done.status == 2
    assert "cannot read --volume" in done.err


@pytest.mark.parametrize("text", ["", ":/a", "data:/a:ro:x", "data:/a:/b", "data:x"])
def test_what_cannot_be_read_is_said(cli: CommandLine, text: str) -> None:
    done = cli("exec", "--mount", text, "true")
    assert done.status == 2
    assert "cannot read --mount" in done.err


def test_a_writable_mount_is_asked_for(cli: CommandLine) -> None:
    data = str(cli.folder / "data")
    assert cli("exec", "--mount", "data:/a:rw", "--mount", "data:rw", "true").status == 0
    assert options(cli)["mounts"] == [
        {"path": data, "at": "/a", "writable": True},
        {"path": data, "writable": True},
    ]


def test_a_link_is_not_followed(cli: CommandLine) -> None:
    (cli.folder / "data").symlink_to("/usr")
    done = cli("exec", "--mount", "data/share", "true")
    assert done.status == 125
    assert "a link on its way leads to /usr/share" in done.err
    assert "--mount /usr/share" in done.err


def test_a_sandbox_can_be_made_with_folders(cli: CommandLine) -> None:
    cli("sandboxes", "create", "--workspace", "ro", "--mount", "/usr/share", "--json")
    body = json.loads(cli.daemon.sent("POST", "/v1/sandboxes").body)
    assert body["options"] == {"workspace_mode": "ro", "mounts": [{"path": "/usr/share"}]}
