"""The Node example as its developer uses it: a watcher that rebuilds, a page in a browser."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser import document, picture
from tests.conftest import Home
from tests.escape.control import NOTHING_ALLOWED, until
from tests.people import Person, Running

pytestmark = pytest.mark.escape

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "node"
GREEN = bytes((20, 160, 80))


@pytest.fixture
def person(home: Home, programs: Path) -> Iterator[Person]:
    """Somebody in a copy of the example, whose policy allows nothing."""
    assert programs.is_dir()
    someone = Person(home)
    someone.policy(NOTHING_ALLOWED)
    shutil.copytree(EXAMPLE, someone.work, dirs_exist_ok=True)
    with someone.serving():
        yield someone


@contextmanager
def beside(person: Person, *words: str) -> "Iterator[Running[str]]":
    """Have a command in another terminal for a while."""
    process = person.starts(*words)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def until_line(process: "Running[str]", line: str) -> None:
    """Read until a line is shown."""
    assert process.stdout is not None
    for shown in process.stdout:
        if shown == f"{line}\n":
            return
    pytest.fail(f"it ended without {line!r}")


def save(path: Path, text: str) -> None:
    """As most editors do: written beside it, then renamed."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text)
    draft.rename(path)


def edit_and_see(person: Person, logs: "Running[str]") -> None:
    """Edit on the host; the watcher inside says that it built, and ends when it is told to."""
    source = person.work / "src"
    until_line(logs, "built 1 files")
    save(source / "more.js", "export const more = 1;\n")
    until_line(logs, "built 2 files")
    (source / "more.js").unlink()
    until_line(logs, "built 1 files")
    (source / "stop").touch()
    until_line(logs, "stopped")
    assert logs.wait(timeout=60) == 0  # it followed to the end
    assert person.types("wait", "dev").returncode == 3


def test_a_detached_watcher_sees_edits_that_are_brought_in(person: Person) -> None:
    started = person.types("exec", "-d", "--sandbox", "dev", "--", "npm run watch")
    assert started.returncode == 0, started.stderr
    with (
        beside(person, "logs", "-f", "dev") as logs,
        beside(person, "sandboxes", "sync", "dev", "--follow"),
    ):
        edit_and_see(person, logs)
    assert not (person.work / "dist").exists()
    assert "dist/sources.json" in person.types("diff", "dev", "--name-only").stdout


def test_a_detached_watcher_in_a_live_workspace_sees_edits_and_brings_out(person: Person) -> None:
    started = person.types(
        *("exec", "-d", "--sandbox", "dev", "--workspace", "live", "--", "npm run watch")
    )
    assert started.returncode == 0, started.stderr
    built = person.work / "dist" / "sources.json"
    with beside(person, "logs", "-f", "dev") as logs:
        edit_and_see(person, logs)
    until(lambda: built.exists() and built.read_text().count(".js") == 1, 60, "it came out")


def test_a_page_of_a_dev_server_inside_is_drawn_by_a_browser_outside(
    person: Person, short_path: Path
) -> None:
    words = ("--sandbox", "dev", "--publish", "3000:0")
    started = person.types("exec", "-d", *words, "--", "npm run dev")
    assert started.returncode == 0, started.stderr
    until(lambda: "http://" in person.types("logs", "dev").stdout, 60, "the server listens")
    number = json.loads(person.types("port", "dev", "--json").stdout)["ports"][0]["host_port"]
    address = f"http://127.0.0.1:{number}/"
    said = "cleanroom-example-node needs debug, jsonc-parser, semver"
    assert f'<p id="words">{said}</p>' in document(short_path, address)
    rows = picture(short_path, address)
    assert all(row == GREEN * (len(row) // 3) for row in rows[: len(rows) // 2])
    assert b"\xff\xff\xff" in rows[-1]
    assert any(row != rows[-1] for row in rows[len(rows) // 2 :])  # there are words
