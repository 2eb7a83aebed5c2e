"""A live workspace: what a command changes in the person's folder, and what never."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.people import Person

NOTHING = "version: 1\nsandbox:\n  network:\n    default: deny\n"

pytestmark = pytest.mark.escape


@pytest.fixture
def person(home: Home, programs: Path) -> Iterator[Person]:
    """Somebody whose policy allows nothing, with a few files."""
    assert programs.is_dir()
    someone = Person(home)
    someone.policy(NOTHING)
    (someone.work / "src").mkdir()
    for name in ("src/a", "src/b", "package-lock.json"):
        (someone.work / name).write_text(f"{name}\n")
    (someone.work / ".env").write_text("TOKEN=1\n")
    with someone.serving():
        yield someone


def until(holds: Callable[[], bool], why: str) -> None:
    """Wait until something holds, a minute at most."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, why
        time.sleep(0.01)


def read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def test_what_a_command_changes_is_changed_when_it_has_ended(person: Person) -> None:
    script = (
        "echo edited > src/a; rm src/b; mkdir -p new/in; echo new > new/in/file; chmod +x src/a"
    )
    done = person.types("exec", "--workspace", "live", "--", script)
    assert done.returncode == 0, done.stderr
    assert "the workspace is live" in done.stderr
    work = person.work
    assert (read(work / "src/a"), read(work / "new/in/file")) == ("edited\n", "new\n")
    assert not (work / "src/b").exists()
    assert (work / "src/a").stat().st_mode & 0o111
    assert (work / "new").stat().st_uid == work.stat().st_uid
    assert person.types("diff", "--name-only").stdout == ""


def test_what_decides_later_runs_is_neither_changed_nor_made(person: Person) -> None:
    hostile = (
        "for f in cleanroom.yaml .cleanroomignore package-lock.json .envrc .gitmodules"
        " src/uv.lock src/mise.toml Jenkinsfile .github/workflows/ci.yml .vscode/tasks.json"
        " .git/hooks/pre-commit .git/config .git/commondir src/.git/config src/.GIT/config .env;"
        " do mkdir -p $(dirname $f); echo hostile > $f; done; echo plain > src/plain"
    )
    before = {path: read(path) for path in person.work.rglob("*") if path.is_file()}
    done = person.types("exec", "--workspace", "live", "--", hostile)
    assert done.returncode == 0, done.stderr
    assert read(person.work / "src/plain") == "plain\n"
    after = {path: read(path) for path in person.work.rglob("*") if path.is_file()}
    assert set(after) - set(before) == {person.work / "src/plain"}
    assert {path: after[path] for path in before} == before
    assert "package-lock.json stays inside: a lock file" in done.stderr
    assert not (person.work / ".github").exists()
    named = person.types("apply", "package-lock.json")
    assert named.returncode == 0, named.stderr
    assert read(person.work / "package-lock.json") == "hostile\n"


def test_no_link_leads_out_and_nothing_but_files_comes_out(person: Person) -> None:
    outside = person.work.parent / "outside"
    outside.mkdir()
    hostile = (
        f"ln -s {outside} out; ln -s / root; ln -s ../../x src/up; mkfifo fifo; ln -s src inner;"
        " cp /bin/true suid; chmod 4755 suid; rm -r src; ln -s /tmp src; echo x > /tmp/a"
    )
    done = person.types("exec", "--workspace", "live", "--", f"({hostile}) || true")
    assert done.returncode == 0, done.stderr
    names = {path.name for path in person.work.iterdir()}
    assert names.isdisjoint({"out", "root", "fifo"})
    assert list(outside.iterdir()) == []
    if "suid" in names:
        assert (person.work / "suid").stat().st_mode & 0o7000 == 0
    assert not (person.work / "src").is_symlink()


def test_both_sides_follow_each_other_while_a_command_runs(person: Person) -> None:
    work = person.work
    echo = "while sleep 0.05; do test -f src/question && cp src/question src/answer; done"
    started = person.types("exec", "-d", "--workspace", "live", "--sandbox", "dev", "--", echo)
    assert (started.returncode, started.stdout.count(" ")) == (0, 1), started.stderr
    for text in ("one\n", "two\n"):
        (work / "draft").write_text(text)
        os.replace(work / "draft", work / "src/question")  # noqa: PTH105 -- as editors do
        until(lambda text=text: read(work / "src/answer") == text, "no answer came")  # type: ignore[misc]
    (work / "cleanroom.yaml").write_text(NOTHING + "# edited\n")
    (work / "src/question").unlink()
    person.types("sandboxes", "stop", "dev")
    assert read(work / "cleanroom.yaml").endswith("# edited\n")
    assert not (work / "src/question").exists()


def test_what_a_command_writes_arrives_while_it_runs(person: Person) -> None:
    script = "echo inside >> src/a; touch ready; until test -f go; do sleep 0.05; done"
    process = person.starts("exec", "--workspace", "live", "--", script)
    until((person.work / "ready").exists, "the command did not start")
    until(lambda: read(person.work / "src/a") == "src/a\ninside\n", "it did not come out")
    (person.work / "go").touch()
    assert process.wait(timeout=60) == 0
    assert process.stdout is not None
    process.stdout.close()


def test_a_live_sandbox_is_named_each_time(person: Person) -> None:
    done = person.types("exec", "--workspace", "live", "--sandbox", "dev", "true")
    assert done.returncode == 0, done.stderr
    other = person.types("exec", "--sandbox", "dev", "true")
    assert "it was made for another --workspace: live" in other.stderr
    assert "its workspace is live" in person.types("sandboxes", "sync", "dev").stderr
    (person.work / "src/a").write_text("edited\n")
    done = person.types("exec", "--workspace", "live", "--sandbox", "dev", "--", "cat src/a")
    assert done.stdout == "edited\n"


def test_what_the_host_removes_is_gone_inside_and_may_be_made_again(person: Person) -> None:
    kept = ("exec", "--workspace", "live", "--sandbox", "dev", "--")
    for _ in range(2):
        assert person.types(*kept, "test ! -e made && echo inside > made").returncode == 0
        assert read(person.work / "made") == "inside\n"
        (person.work / "made").unlink()
        until(lambda: person.types(*kept, "test ! -e made").returncode == 0, "it is still inside")
    (person.work / "src/a").unlink()
    until(lambda: person.types(*kept, "test ! -e src/a").returncode == 0, "it is still inside")
    assert person.types(*kept, "echo again > src/a").returncode == 0
    assert read(person.work / "src/a") == "again\n"
