"""`cleanroom cp`: which way, to which name; what a sandbox may bring is in tests/client."""

import io
import os
import tarfile
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer, Attached, Peer
from tests.client.test_tar import made, read

FILES = "/v1/sandboxes/dev/files"
TREE = made(
    ("./", tarfile.DIRTYPE, b""),
    ("./sub/file", tarfile.REGTYPE, b"content"),
    ("./evil", tarfile.SYMTYPE, b"/etc/passwd"),
    ("./.git/config", tarfile.REGTYPE, b"evil"),
)


def inside(cli: CommandLine, path: str, kind: str) -> None:
    """Say what is there."""
    cli.script.answers[f"GET {FILES}"] = Answer({"path": path, "kind": kind, "entries": []})


def gives(data: bytes) -> Attached:
    """Return a daemon's part: send this archive."""

    def play(peer: Peer) -> None:
        peer.frame(2, data)
        peer.exit()

    return play


def takes(got: list[bytes]) -> Attached:
    """Return a daemon's part: take an archive."""

    def play(peer: Peer) -> None:
        data = b""
        while (message := peer.message()) is not None and message[0] == 2:
            data += message[1]
        got.append(data)
        peer.exit()

    return play


def test_a_folder_comes_under_its_own_name_or_the_one_given(cli: CommandLine) -> None:
    inside(cli, "/workspace/dist", "folder")
    cli.script.attached = gives(TREE)
    done = cli("cp", "dev:dist", "new")
    assert done.status == 0
    assert (cli.folder / "new" / "sub" / "file").read_text() == "content"
    assert "left out evil: a link that leads out" in done.err
    assert "left out .git/config" in done.err
    assert "1 file copied" in done.err
    target = cli.daemon.requests[-1].target
    assert target == f"{FILES}/read?path=dist&folder=true"
    assert cli("cp", "dev:dist", ".").status == 0  # one that exists gets it inside
    assert (cli.folder / "dist" / "sub" / "file").exists()
    again = cli("cp", "dev:dist", ".")
    assert (again.status, "--force" in again.err) == (1, True)
    assert cli("cp", "--force", "dev:dist", ".").status == 0
    (cli.folder / "flat").mkdir()
    assert cli("cp", "dev:dist/.", "flat").status == 0
    assert (cli.folder / "flat" / "sub" / "file").exists()


def test_a_file_comes_under_its_own_name_or_the_one_given(cli: CommandLine) -> None:
    inside(cli, "/workspace/a.txt", "file")
    cli.script.attached = gives(made(("./a.txt", tarfile.REGTYPE, b"x")))
    assert cli("cp", "dev:a.txt", "b.txt").status == 0
    assert (cli.folder / "b.txt").read_text() == "x"
    assert cli("cp", "dev:a.txt", ".").status == 0
    assert (cli.folder / "a.txt").read_text() == "x"
    done = cli("cp", "dev:a.txt", "no/such/place")
    assert (done.status, "No such file" in done.err) == (1, True)
    done = cli("cp", "dev:a.txt", ".git/config")
    assert (done.status, "git repository" in done.err) == (1, True)


@pytest.mark.parametrize("name", [".git", ".GIT", ".git."])
def test_a_git_folder_of_the_sandbox_is_never_merged_into_the_one_here(
    cli: CommandLine, name: str
) -> None:
    """Its hooks and its configuration would be the host's."""
    inside(cli, f"/workspace/{name}", "folder")
    cli.script.attached = gives(made(("./hooks/post-checkout", tarfile.REGTYPE, b"evil")))
    done = cli("cp", "--force", f"dev:{name}", ".")
    assert (done.status, "git repository" in done.err) == (1, True)
    assert list((cli.folder / ".git").iterdir()) == []


@pytest.mark.parametrize("kind", ["missing", "other"])
def test_what_is_no_file_is_not_asked_for(cli: CommandLine, kind: str) -> None:
    inside(cli, "/workspace/x", kind)
    done = cli("cp", "dev:x", "y")
    assert (done.status, f"it is {kind} in the sandbox" in done.err) == (1, True)


def test_a_stream_out_holds_only_data(cli: CommandLine, tmp_path: Path) -> None:
    inside(cli, "/workspace/dist", "folder")
    cli.script.attached = gives(TREE)
    out = os.dup(1)
    with (tmp_path / "a.tar").open("wb") as file:
        os.dup2(file.fileno(), 1)
        try:
            done = cli("cp", "dev:dist", "-")
        finally:
            os.dup2(out, 1)
            os.close(out)
    assert done.status == 0
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert [(each.name, each.mode) for each in archive] == [
            ("dist", 0o755),
            ("dist/sub/file", 0o755),
        ]


def test_files_go_in_under_the_name_that_is_meant(cli: CommandLine) -> None:
    (cli.folder / "src").mkdir()
    (cli.folder / "src" / "a").write_text("a")
    got: list[bytes] = []
    cli.script.attached = takes(got)
    for source, kind, path, folder, names in (
        ("src", "folder", "/workspace/x", "/workspace/x", ["src", "src/a"]),
        ("src/.", "folder", "/workspace/x", "/workspace/x", ["a"]),
        ("src", "missing", "/workspace/new", "/workspace", ["new", "new/a"]),
        ("src/a", "file", "/workspace/b", "/workspace", ["b"]),
    ):
        inside(cli, path, kind)
        assert cli("cp", source, "dev:x").status == 0
        assert [member.path for member, _ in read(got.pop())] == names
        assert unquote(cli.daemon.requests[-1].target) == f"{FILES}/write?path={folder}"


def test_a_stream_in_is_passed_on(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    got: list[bytes] = []
    cli.script.attached = takes(got)
    inside(cli, "/workspace/x", "folder")
    (tmp_path / "in").write_bytes(TREE)
    with (tmp_path / "in").open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        assert cli("cp", "-", "dev:x").status == 0
    assert got == [TREE]
    inside(cli, "/workspace/x", "file")
    assert cli("cp", "-", "dev:x").status == 1


def test_a_folder_does_not_go_into_a_file(cli: CommandLine) -> None:
    (cli.folder / "src").mkdir()
    inside(cli, "/workspace/x", "file")
    assert cli("cp", "src", "dev:x").status == 1
    inside(cli, "/workspace/x", "missing")
    assert cli("cp", "src", "dev:x/").status == 1
    inside(cli, "/workspace/x", "folder")
    assert cli("cp", "nothing", "dev:x").status == 1


@pytest.mark.parametrize("words", [("a", "b"), ("dev:a", "dev:b"), ("./a:b", "c")])
def test_one_of_both_is_in_a_sandbox(cli: CommandLine, words: tuple[str, str]) -> None:
    done = cli("cp", *words)
    assert (done.status, "SANDBOX:PATH" in done.err) == (2, True)
