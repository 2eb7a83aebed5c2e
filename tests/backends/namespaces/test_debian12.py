"""The whole promise with the oldest bubblewrap that is supported: the one of Debian 12.

It is fetched with apt from the mirror that this machine uses itself, checked by Debian's keys, into
a temporary folder; nothing is installed.
"""

import inspect
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.backends import process
from cleanroom.backends.base import Backend
from cleanroom.backends.namespaces import NamespacesBackend
from tests.backends.conformance import Conformance
from tests.backends.machines import within
from tests.conftest import remove_tree
from tests.escape import test_isolation

SUITE = "bookworm"
# Each with a sandbox of its own; the rest of that file builds its programs from parameters.
HOSTILE = {
    name: test
    for name, test in vars(test_isolation).items()
    if name.startswith("test_") and list(inspect.signature(test).parameters) == ["short_path"]
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.usefixtures("programs")]


def apt(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run apt-get as if nothing were installed, with lists and downloads in `folder` only."""
    options = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": folder / "state",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": folder / "cache",
        "Acquire::Languages": "none",
        "Acquire::Retries": "1",
        "Acquire::http::Timeout": "10",
        "APT::Sandbox::User": "",
        "APT::Update::Error-Mode": "any",
    }
    argv = [
        "/usr/bin/apt-get",
        "-q",
        *(f"-o{name}={value}" for name, value in options.items()),
        *words,
    ]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


def sources() -> str:
    """The line that names Debian 12 on the mirror this machine uses; "" if it uses none."""
    if not (Path("/usr/bin/apt-get").exists() and Path("/usr/bin/dpkg-deb").exists()):
        return ""
    form = "$(LABEL) $(REPO_URI) $(SIGNED_BY)"
    said = subprocess.run(
        ["/usr/bin/apt-get", "indextargets", "--format", form],
        capture_output=True,
        text=True,
        check=False,
    )
    for label, uri, key in (line.split(" ", 2) for line in said.stdout.splitlines()):
        if label == "Debian" and key.startswith("/"):
            return f"deb [signed-by={key}] {uri} {SUITE} main\n"
    return ""


@pytest.fixture(scope="module")
def old() -> Iterator[Path]:
    """A folder with Debian 12's bwrap, which a sandbox's own user can run."""
    line = sources()
    if not line:
        pytest.skip("this machine lacks a mirror of Debian")
    folder = Path(tempfile.mkdtemp(prefix="cr", dir="/tmp"))
    try:
        folder.chmod(0o755)
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "sources.list").write_text(line)
        for words in (("update",), ("download", "bubblewrap")):
            done = apt(folder, *words)
            if done.returncode != 0:
                pytest.skip(f"this machine lacks a mirror that has Debian 12: {done.stderr[-200:]}")
        (package,) = folder.glob("bubblewrap_*.deb")
        subprocess.run(["/usr/bin/dpkg-deb", "-x", package, folder / "x"], check=True)
        yield folder / "x/usr/bin"
    finally:
        remove_tree(folder)


@pytest.fixture(autouse=True)
def first(old: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs are found in the folder of the old bwrap first."""
    monkeypatch.setattr(process, "_SYSTEM_FOLDERS", (str(old), *process._SYSTEM_FOLDERS))
    return old / "bwrap"


class TestWithDebian12(Conformance):
    def backend(self, folder: Path) -> Backend:
        return NamespacesBackend(folder / "state")


def test_it_is_that_one(first: Path, short_path: Path) -> None:
    backend = NamespacesBackend(short_path / "state")
    assert backend._host.bubblewrap == str(first)
    assert "0.8.0" in within(5, backend.probe()).runtime


@pytest.mark.escape
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_fail_as_with_the_newest(name: str, short_path: Path) -> None:
    HOSTILE[name](short_path)


def test_the_hostile_programs_are_there() -> None:
    assert len(HOSTILE) > 8
