"""Edits of the host brought into a living sandbox: what arrives, and what never does."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.people import Person, Running

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


def inside(person: Person, script: str) -> str:
    """Run a script in the sandbox `dev`, while another command is live in it: no new view."""
    done = person.types("exec", "--sandbox", "dev", "--", script)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def busy(person: Person) -> Iterator[Person]:
    """The same, with a command that lives in the sandbox `dev`."""
    work = person.work
    (work / "src").mkdir()
    for name in ("src/a", "src/b", "src/gone", "program"):
        (work / name).write_text(f"{name}\n")
    for name in (".env", "id_rsa", "key.pem"):
        (work / name).write_text("-----BEGIN PRIVATE KEY-----")
    done = person.types("exec", "-d", "--sandbox", "dev", "--", "cat src/*; sleep 600")
    assert done.returncode == 0, done.stderr
    assert inside(person, "cat src/a src/b src/gone program; ls src") != ""
    yield person
    person.types("sandboxes", "stop", "dev")


def save(path: Path, text: str) -> None:
    """As most editors do: written beside it, then renamed."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text)
    draft.rename(path)


def until(holds: Callable[[], bool], why: str) -> None:
    """Wait until something holds, a minute at most."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, why


def test_edits_arrive_as_they_are(busy: Person) -> None:
    work = busy.work
    save(work / "src/a", "edited\n")
    (work / "new/deep").mkdir(parents=True)
    (work / "new/deep/file").write_text("new\n")
    (work / "empty").mkdir()
    (work / ("x" * 120)).write_text("a long name\n")
    (work / "program").chmod(0o755)
    (work / "link").symlink_to("src/a")
    done = busy.types("sandboxes", "sync", "dev")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.splitlines()) == {
        *("written src/a", "written new/deep/file", "written empty", "written program"),
        *(f"written {'x' * 120}", "written link"),
    }
    script = "cat link new/deep/file xxx*; ls src; test -x program && test -d empty && echo yes"
    assert inside(busy, script) == "edited\nnew\na long name\na\nb\ngone\nyes\n"
    assert busy.types("sandboxes", "sync", "dev").stdout == ""
    assert busy.types("diff", "dev", "--name-only").stdout == ""
    for name in ("src/gone", "link"):
        (work / name).unlink()
    removed = busy.types("sandboxes", "sync", "dev").stdout.splitlines()
    assert removed == ["removed src/gone", "removed link"]
    assert inside(busy, "ls -d src/gone link 2>/dev/null; true") == ""
    assert busy.types("diff", "dev", "--name-only").stdout == ""


def test_what_was_changed_inside_is_a_conflict_and_stays(busy: Person) -> None:
    inside(busy, "echo inside > src/a; rm src/b; echo mine > mine")
    for name in ("src/a", "src/b"):
        save(busy.work / name, "host\n")
    done = busy.types("sandboxes", "sync", "dev")
    assert done.returncode == 1
    conflicts = ["conflict src/a: changed inside too", "conflict src/b: deleted inside"]
    assert done.stdout.splitlines() == conflicts
    assert inside(busy, "cat src/a mine; ls src") == "inside\nmine\na\ngone\n"


def test_what_came_in_can_be_changed_and_comes_out_again(busy: Person) -> None:
    save(busy.work / "src/a", "from the host\n")
    busy.types("sandboxes", "sync", "dev")
    inside(busy, "echo inside >> src/a")
    done = busy.types("apply", "--sandbox", "dev")
    assert done.returncode == 0, done.stderr
    assert (busy.work / "src/a").read_text() == "from the host\ninside\n"
    save(busy.work / "src/a", "again\n")
    assert busy.types("sandboxes", "sync", "dev").stdout == "written src/a\n"


def test_secrets_git_and_what_is_no_file_stay_outside(busy: Person) -> None:
    outside = busy.work.parent / "outside"
    outside.write_text("outside")
    for name in (".env", "id_rsa", "key.pem"):
        save(busy.work / name, "-----BEGIN PRIVATE KEY----- new")
    (busy.work / ".git/hooks/pre-commit").write_text("hook")
    (busy.work / "out").symlink_to(outside)
    os.mkfifo(busy.work / "fifo")
    assert busy.types("sandboxes", "sync", "dev").stdout == "written out\n"
    script = "cat out .env id_rsa key.pem 2>/dev/null; true"
    assert inside(busy, script) == ""


def test_a_hostile_sandbox_spoils_only_its_own_view(busy: Person) -> None:
    """Links in place of folders, where the edits are to go."""
    outside = busy.work.parent / "data"
    outside.mkdir()
    inside(busy, f"rm -r src; ln -s {outside} src; mkdir /tmp/x; ln -s /tmp/x new")
    save(busy.work / "src/a", "host\n")
    (busy.work / "new").mkdir()
    (busy.work / "new/file").write_text("new\n")
    busy.types("sandboxes", "sync", "dev")
    assert list(outside.iterdir()) == []
    assert (busy.work / "src/a").read_text() == "host\n"
    assert (busy.work / "new/file").read_text() == "new\n"


def test_a_command_after_the_last_sees_newer_edits_too(person: Person) -> None:
    """What was brought in must not hide what comes later."""
    (person.work / "file").write_text("one\n")
    started = person.types("exec", "-d", "--sandbox", "dev", "--", "sleep 600")
    save(person.work / "file", "two\n")
    assert person.types("sandboxes", "sync", "dev").stdout == "written file\n"
    assert inside(person, "cat file") == "two\n"
    execution = started.stdout.split()[1]
    assert person.types("executions", "cancel", "dev", execution).returncode == 0
    save(person.work / "file", "three\n")
    assert inside(person, "cat file") == "three\n"
    assert person.types("diff", "dev", "--name-only").stdout == ""


@contextmanager
def following(person: Person) -> "Iterator[Running[str]]":
    process = person.starts("sandboxes", "sync", "dev", "--follow")
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)
        assert process.stdout is not None
        process.stdout.close()


def test_a_follower_brings_each_edit_until_the_sandbox_ends(busy: Person) -> None:
    with following(busy) as process:
        assert process.stdout is not None
        for text in ("one\n", "two\n"):
            save(busy.work / "src/a", text)
            assert process.stdout.readline() == "written src/a\n"
            assert inside(busy, "cat src/a") == text
        (busy.work / "later").mkdir()
        assert process.stdout.readline() == "written later\n"
        (busy.work / "later/file").write_text("deep\n")
        assert process.stdout.readline() == "written later/file\n"
        second = busy.types("sandboxes", "sync", "dev")
        assert "somebody does that already" in second.stderr
        (busy.work / "later/file").unlink()
        assert process.stdout.readline() == "removed later/file\n"
        busy.types("sandboxes", "stop", "dev")
        assert process.wait(timeout=60) == 0


def test_a_watcher_inside_hears_of_an_edit(busy: Person) -> None:
    """inotify(7) inside: it is a write of the sandbox's own process."""
    watcher = (
        "import ctypes, os; c = ctypes.CDLL(None); f = c.inotify_init();"
        "c.inotify_add_watch(f, b'src', 0x3ca); print('ready', flush=True);"
        "os.read(f, 4096); print('heard', flush=True)"
    )
    process = busy.starts(
        "exec", "--sandbox", "dev", "--", "timeout", "60", "python3", "-c", watcher
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    save(busy.work / "src/a", "rebuilt")
    busy.types("sandboxes", "sync", "dev")
    assert process.stdout.readline() == "heard\n"
    assert process.wait(timeout=60) == 0
    process.stdout.close()
