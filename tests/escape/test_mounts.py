"""A workspace that is read-only, and folders beside it: what a command reaches of them."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.people import Person

NOTHING = "version: 1\nsandbox:\n  network:\n    default: deny\n"

pytestmark = pytest.mark.escape


@pytest.fixture
def person(home: Home, programs: Path) -> Iterator[Person]:
    """Somebody whose policy allows nothing, with a folder of data."""
    assert programs.is_dir()
    someone = Person(home)
    someone.policy(NOTHING)
    (someone.work.parent / "data").mkdir()
    with someone.serving():
        yield someone


def prints(person: Person, *words: str) -> str:
    done = person.types("exec", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_read_only_workspace_cannot_be_changed(person: Person) -> None:
    (person.work / "file").write_text("before")
    (person.work / ".env").write_text("TOKEN=1")
    attacks = "echo x > file; rm -f file; mv file f; chmod 777 file; mkdir d; ln file g; cat .env"
    script = f"({attacks}) 2>/dev/null; cat file; ls -A"
    said = prints(person, "--workspace", "ro", "--", script)
    assert said.startswith("before")
    assert ".env" not in said
    names = {".git", "cleanroom.yaml", "file", ".env"}
    assert {path.name for path in person.work.iterdir()} == names
    assert (person.work / "file").read_text() == "before"
    assert "no changes" in person.types("diff").stderr


def test_a_read_only_workspace_that_is_kept_follows_the_host(person: Person) -> None:
    (person.work / "file").write_text("before")
    kept = ("--workspace", "ro", "--sandbox", "dev", "--", "cat file")
    assert prints(person, *kept) == "before"
    (person.work / "draft").write_text("after")
    (person.work / "draft").rename(person.work / "file")
    assert prints(person, *kept) == "after"
    other = person.types("exec", "--sandbox", "dev", "true")
    assert "it was made for another --workspace: ro" in other.stderr


def test_a_folder_is_shown_read_only_without_its_secrets(person: Person) -> None:
    data = person.work.parent / "data"
    (data / "file").write_text("of the host")
    (data / "id_rsa").write_text("key")
    (person.work.parent / "outside").write_text("outside")
    (data / "out").symlink_to(person.work.parent)
    os.mkfifo(data / "fifo")
    attack = (
        "cat id_rsa; echo x > file; echo x > new; cat out/outside; timeout 5 tee fifo < /dev/null"
    )
    script = f"cd /mnt/data; ({attack}) 2>/dev/null; cat file"
    done = person.types("exec", "--mount", f"{data}:/mnt/data", "--", script)
    assert (done.stdout, (data / "file").read_text()) == ("of the host", "of the host")
    assert "/mnt/data: left out of the sandbox: id_rsa" in done.stderr
    assert not (data / "new").exists()


def test_a_socket_in_a_folder_is_not_reached(person: Person) -> None:
    data = person.work.parent / "data"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(data / "s"))
        listening.listen()
        connect = f"import socket; socket.socket(1).connect('{data}/s')"
        done = person.types("exec", "--mount", str(data), "--", "python3", "-c", connect)
        assert done.returncode == 1
        assert "Error" in done.stderr


def test_a_folder_follows_the_host_at_the_next_command(person: Person) -> None:
    data = person.work.parent / "data"
    (data / "file").write_text("before")
    kept = ("--sandbox", "dev", "--mount", str(data), "--", f"cat {data}/file; ls -A {data}")
    assert prints(person, *kept) == "beforefile\n"
    (data / "draft").write_text("after")
    (data / "draft").rename(data / "file")
    (data / ".env").touch()
    assert prints(person, *kept) == "afterfile\n"


@pytest.mark.parametrize(
    "place", ["/usr", "/etc/ssh", "/proc/x", "/workspace/sub", "/bin", "/.cleanroom", "/"]
)
def test_nothing_of_the_sandbox_is_covered(person: Person, place: str) -> None:
    data = person.work.parent / "data"
    done = person.types("exec", "--mount", f"{data}:{place}", "true")
    assert done.returncode == 125
    assert "cannot mount anything at" in done.stderr


def test_the_daemons_own_folders_are_not_shown(person: Person) -> None:
    for folder in (person.state / "cleanroom", person.state, person.socket.parent):
        done = person.types("exec", "--mount", f"{folder}:/data", "true")
        assert done.returncode == 125
        assert "cleanroom keeps its own files there" in done.stderr or "system" in done.stderr


def test_a_writable_folder_gets_what_apply_would_bring_out(person: Person) -> None:
    data, outside = person.work.parent / "data", person.work.parent / "outside"
    outside.write_text("outside")
    for name in ("edited", "gone", "uv.lock", ".env", ".git/config"):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_text(f"{name}\n")
    before = {path: path.read_text() for path in data.rglob("*") if path.is_file()}
    hostile = (
        "cat edited; echo x > edited; rm gone; mkdir new; echo new > new/file; echo x > uv.lock;"
        f" echo x > .env; ln -s {outside} out; ln -s ../../outside up; cp /bin/true suid;"
        " chmod 6755 suid; mkfifo fifo; echo x > .git/config; mkdir -p .git/hooks .github;"
        " echo x > .git/hooks/pre-commit; echo x > .github/ci.yml; true"
    )
    done = person.types("exec", "--mount", f"{data}:/mnt/data:rw", "-w", "/mnt/data", "--", hostile)
    assert (done.returncode, done.stdout) == (0, "edited\n"), done.stderr
    assert "/mnt/data is writable" in done.stderr
    assert "/mnt/data/uv.lock stays inside: a lock file" in done.stderr
    assert (data / "edited").read_text() == "x\n"
    assert (data / "new/file").read_text() == "new\n"
    assert (data / "new").stat().st_uid == data.stat().st_uid
    assert (data / "suid").stat().st_mode & 0o7777 == 0o755
    names = {path.name for path in data.iterdir()}
    assert names == {"edited", "new", "uv.lock", ".env", ".git", "suid"}
    for name in ("uv.lock", ".env", ".git/config"):
        assert (data / name).read_text() == before[data / name]
    assert not (data / ".git/hooks").exists()
    assert outside.read_text() == "outside"
    assert "no changes" in person.types("diff").stderr  # the workspace is another matter


def test_both_sides_of_a_writable_folder_follow_each_other(person: Person) -> None:
    data = person.work.parent / "data"
    script = "while sleep 0.05; do test -f question && cp question answer; done"
    words = ("--mount", f"{data}:/data:rw", "--sandbox", "dev", "-w", "/data", "--", script)
    assert person.types("exec", "-d", *words).returncode == 0
    for text in ("one\n", "two\n"):
        (data / "draft").write_text(text)
        (data / "draft").rename(data / "question")
        until(data / "answer", text)
    assert person.types("sandboxes", "stop", "dev").returncode == 0


def test_a_kept_sandbox_sees_the_workspace_and_a_writable_folder_anew(person: Person) -> None:
    data = person.work.parent / "data"
    (data / "file").write_text("before ")
    (person.work / "file").write_text("before ")
    show = f"cat file {data}/file; echo inside > {data}/made"
    kept = ("--sandbox", "dev", "--mount", f"{data}:rw", "--", show)
    assert prints(person, *kept) == "before before "
    for folder in (data, person.work):
        (folder / "draft").write_text("after ")
        (folder / "draft").rename(folder / "file")
    (data / "made").unlink()
    assert prints(person, *kept) == "after after "
    assert (data / "made").read_text() == "inside\n"
    other = person.types("exec", "--sandbox", "dev", "--mount", str(data), "true")
    assert f"it was made for another --mount: {data}:rw" in other.stderr


def until(path: Path, text: str) -> None:
    """Wait until a file holds a text, a minute at most."""
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_text() != text:
        assert time.monotonic() < deadline, f"{path} never held {text!r}"
        time.sleep(0.01)
