"""Policy files that are no small text of the caller's: promise P3, and P1 and P2 as typed.

Each is refused in the client or the daemon, quickly, with nothing of it quoted and nothing run. The
control is the same command line with an honest file in the same place.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.escape.control import NOTHING_ALLOWED, Served, somebody
from tests.people import Person

pytestmark = pytest.mark.escape

FAST_S = 5.0  # a whole command line on a busy machine; nothing here may wait or read for long
SECRET = "root:$6$hush"  # noqa: S105 -- what must not be quoted


@pytest.fixture(scope="module")
def served(programs: Path) -> Iterator[Served]:
    assert programs.is_dir()
    with somebody() as made:
        yield made


@pytest.fixture
def person(served: Served) -> Iterator[Person]:
    """Somebody whose policy file a test replaces; an honest one works before and after."""
    yield served.person
    for name in ("cleanroom.yaml", ".buildkite/cleanroom.yaml"):
        (served.person.work / name).unlink(missing_ok=True)
    served.person.policy(NOTHING_ALLOWED)
    assert served.person.types("exec", "--", "echo control").stdout == "control\n"


def beside(path: Path) -> Path:
    """Return the folder that holds the workspace of a policy file."""
    return path.parents[2] if path.parent.name == ".buildkite" else path.parents[1]


def secret_file(path: Path) -> None:
    secret = beside(path) / "shadow"
    secret.write_text(f"{SECRET}:19000:0:99999:7:::\n")
    path.symlink_to(secret)


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def link_through_a_folder(path: Path) -> None:
    inside = path.parent / "inside"
    if not inside.is_symlink():
        inside.symlink_to(beside(path))
    (beside(path) / "outside.yaml").write_text(SECRET)
    path.symlink_to("inside/outside.yaml")


def giant(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)


def socket_file(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


FILES: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "folder": Path.mkdir,
    "socket": socket_file,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "its own descriptor": lambda path: path.symlink_to("/proc/self/fd/0"),
    "memory of the client": lambda path: path.symlink_to("/proc/self/environ"),
    "secret file": secret_file,
    "system file": lambda path: path.symlink_to("/etc/shadow"),
    "link through a folder": link_through_a_folder,
    "link to itself": link_to_itself,
    "link to nothing": lambda path: path.symlink_to("/nonexistent"),
    "50 MB": giant,
    "64 KiB and one": lambda path: path.write_bytes(b"#" * (64 * 1024 + 1)),
    "not UTF-8": lambda path: path.write_bytes(b"version: 1\n# \xff\xfe\n"),
}


@pytest.mark.parametrize("place", ["cleanroom.yaml", ".buildkite/cleanroom.yaml"])
@pytest.mark.parametrize("kind", FILES)
def test_a_policy_that_is_no_file_of_the_callers_is_refused(
    person: Person, kind: str, place: str
) -> None:
    """P3."""
    (person.work / "cleanroom.yaml").unlink()
    path = person.work / place
    path.parent.mkdir(exist_ok=True)
    FILES[kind](path)
    began = time.monotonic()
    done = person.types("exec", "--", "echo ran")
    try:
        assert time.monotonic() - began < FAST_S
        assert done.returncode == 125
        assert done.stdout == ""
        assert f"cannot read {place}" in done.stderr
        assert "policy_invalid" in done.stderr
        assert SECRET not in done.stderr
        assert "root:" not in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()


TEXTS = {
    "nul": "version: 1\0\n",
    "byte order mark inside": "version: 1\nsandbox: \ufeff{}\n",
    "bidi": "version: 1 # \u202e\n",
    "deep": "version: 1\nsandbox: " + "[" * 20_000,
    "alias bomb": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "self": "version: &a [*a]\n",
    "merge": "version: 1\nsandbox: {<<: {}}\n",
    "twice": "version: 1\nversion: 1\n",
    "tag": "version: !!python/object/apply:os.system ['true']\n",
    "two documents": "version: 1\n---\nversion: 1\n",
    "nothing": "",
    "null": "null\n",
    "allow": "version: 1\nsandbox: {network: {default: allow}}\n",
    "everything": "version: 1\nsandbox: {network: {allow: [{host: '*'}]}}\n",
    "all addresses": "version: 1\nsandbox: {network: {allow: [{host: 0.0.0.0/0}]}}\n",
    "url": "version: 1\nsandbox: {network: {allow: [{host: 'https://a.example'}]}}\n",
    "boolean": "version: 1\nsandbox: {network: {allow: [{host: no}]}}\n",
    "octal": "version: 1\nsandbox: {network: {allow: [{host: a.example, ports: [0443]}]}}\n",
    "sexagesimal": "version: 1\nsandbox: {ttl_minutes: 22:22}\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_no_policy_is_refused_with_its_place(person: Person, name: str) -> None:
    """P1, P2: what the parser's own tests show, through the whole command line."""
    (person.work / "cleanroom.yaml").write_text(TEXTS[name], encoding="utf-8")
    began = time.monotonic()
    done = person.types("exec", "--", "echo ran")
    assert time.monotonic() - began < FAST_S
    assert (done.returncode, done.stdout) == (125, "")
    assert "cleanroom.yaml:" in done.stderr
    assert ("policy_invalid" in done.stderr) or ("policy_conflict" in done.stderr)
    assert "Traceback" not in done.stderr
    assert all(letter.isprintable() or letter == "\n" for letter in done.stderr)
