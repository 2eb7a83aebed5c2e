"""What a workspace may hold and a sandbox must not reach: sockets, FIFOs, links out, keys."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.people import Person

NOTHING = "version: 1\nsandbox:\n  network:\n    default: deny\n"

pytestmark = pytest.mark.escape


@pytest.fixture
def person(home: Home, programs: Path) -> Iterator[Person]:
    """Somebody whose policy allows nothing."""
    assert programs.is_dir()
    someone = Person(home)
    someone.policy(NOTHING)
    with someone.serving():
        yield someone


def test_a_socket_of_the_host_in_the_workspace_cannot_be_reached(person: Person) -> None:
    """I11, I18."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(person.work / "s"))
        listening.listen()
        connect = "import socket; socket.socket(1).connect('s')"
        subprocess.run([sys.executable, "-c", connect], cwd=person.work, check=True)  # the control
        done = person.types("exec", "--", "python3", "-c", connect)
        assert done.returncode == 1
        assert "Error" in done.stderr


def test_a_fifo_of_the_host_in_the_workspace_leads_to_nobody(person: Person) -> None:
    """I11, I18."""
    os.mkfifo(person.work / "fifo")
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append((person.work / "fifo").read_text()))
    reader.start()
    person.types("exec", "--", "timeout 1 sh -c 'echo from inside > fifo'")
    (person.work / "fifo").write_text("from the host")  # the control: somebody does listen
    reader.join(10)
    assert heard == ["from the host"]


def test_a_link_out_of_the_workspace_shows_the_sandboxs_own_files(person: Person) -> None:
    """I11."""
    outside = person.work.parent / "outside"
    outside.write_text("of the host")
    (person.work / "link").symlink_to(outside)
    (person.work / "passwd").symlink_to("/etc/passwd")
    (person.work / "inside").symlink_to("cleanroom.yaml")
    done = person.types("exec", "--", "cat link; head -2 passwd | tail -1; head -1 inside")
    assert done.stdout == ("cleanroom:x:1000:1000:cleanroom:/home/cleanroom:/bin/sh\nversion: 1\n")


def test_keys_and_credentials_are_not_inside_however_they_are_asked_for(person: Person) -> None:
    (person.work / ".env").write_text("TOKEN=S3CRET\n")
    (person.work / "sub").mkdir()
    (person.work / "sub" / "id.key").write_text("-----BEGIN PRIVATE KEY-----\nS3CRET\n")
    (person.work / "sub" / "seen").write_text("seen\n")
    done = person.types(
        "exec", "--",
        "cat .env sub/id.key; grep -r S3CRET .; mv sub other; cat other/id.key other/seen;"
        f" cat {person.work}/.env; rm -f .env; cat .env; ls -A other",
    )  # fmt: skip
    assert "S3CRET" not in done.stdout + done.stderr
    assert done.stdout == "seen\nseen\n"
    assert ".env, sub/id.key" in done.stderr  # said, once
    assert (person.work / ".env").read_text() == "TOKEN=S3CRET\n"


def test_a_key_that_appears_later_is_not_inside_either(person: Person) -> None:
    assert person.types("exec", "--sandbox", "dev", "--", "echo mine > made").returncode == 0
    (person.work / ".env").write_text("TOKEN=S3CRET\n")
    (person.work / "late").write_text("late\n")
    done = person.types("exec", "--sandbox", "dev", "--", "cat late made .env")
    assert done.stdout == "late\nmine\n"
    assert "left out of the sandbox: .env" in done.stderr


def test_what_authenticates_in_gits_configuration_is_not_inside(person: Person) -> None:
    git = ["/usr/bin/git", "-C", str(person.work)]
    url = "https://user:S3CRET@git.example/r.git"
    subprocess.run([*git, "remote", "add", "origin", url], check=True)
    subprocess.run([*git, "config", "http.extraheader", "AUTHORIZATION: S3CRET"], check=True)
    done = person.types("exec", "--", "git remote -v; grep -r S3CRET .git; git config --list")
    assert "https://git.example/r.git" in done.stdout
    assert "S3CRET" not in done.stdout + done.stderr


def test_a_git_link_to_somebody_elses_repository_shows_nothing(person: Person) -> None:
    other = person.work.parent / "other"
    subprocess.run(["/usr/bin/git", "init", "-q", str(other)], check=True)
    (other / ".git" / "secret").write_text("S3CRET")
    (person.work / ".git").rename(person.work.parent / "moved")
    (person.work / ".git").write_text(f"gitdir: {other}/.git/worktrees/x\n")
    done = person.types(
        "exec", "-C", str(person.work), "--", f"cat {other}/.git/secret; ls {other}"
    )
    assert "S3CRET" not in done.stdout
    assert done.returncode != 0


def test_what_git_ignores_is_kept_for_whoever_names_it(person: Person) -> None:
    (person.work / ".gitignore").write_text("made/\n")
    done = person.types("exec", "--", "mkdir made; echo one > made/file")
    assert done.returncode == 0, done.stderr
    shown = person.types("diff", "--stat")
    assert "left out made/file: ignored by git: not listed" in shown.stderr
    assert "name them to apply them" in person.types("apply").stderr
    assert not (person.work / "made").exists()
    assert person.types("apply", "made").returncode == 0
    assert (person.work / "made/file").read_text() == "one\n"
