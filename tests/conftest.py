"""Fixtures that every part shares, and the rule that a test may not quietly skip.

In: this machine. Out: short temporary folders, built programs, a fresh user environment.
Never: a file outside the checkout and the temporary folder.
"""

import os
import platform
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.seeds import NIGHTLY, SEED

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "src" / "cleanroom" / "bin"

# By day each property sees the same examples: a red gate can be run again, coverage is the same.
# How long one takes on a busy machine says nothing; `make nightly` looks for new ones.
settings.register_profile(
    "day",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("night", deadline=None)
settings.load_profile("night" if NIGHTLY else "day")

# A gate started in the background hands down ignored signals, and its children would keep them:
# programs that the tests start are to be stopped as a person's own are.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

# A skip that is not about the machine hides a test that nobody runs.
ACCEPTED_SKIP = re.compile(r"^(Skipped: )?this machine lacks ")


@dataclass(frozen=True)
class Home:
    """A person's empty home with its XDG folders; `environment` points every program at it.

    `variables`: what they have set besides.
    """

    home: Path
    runtime: Path
    state: Path
    cache: Path
    config: Path
    variables: dict[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of a process of this person: nothing of the caller's own."""
        return {
            "HOME": str(self.home),
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_STATE_HOME": str(self.state),
            "XDG_CACHE_HOME": str(self.cache),
            "XDG_CONFIG_HOME": str(self.config),
            **self.variables,
        }


def remove_tree(folder: Path) -> None:
    """Remove a folder even where an overlay left a work directory that nobody may read."""
    for parent, names, _ in os.walk(folder, topdown=True):
        for name in names:
            child = Path(parent) / name
            if not child.is_symlink():
                child.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A temporary folder whose path leaves room for a unix socket (107 bytes in all)."""
    folder = Path(tempfile.mkdtemp(prefix="cr", dir="/tmp"))
    yield folder
    remove_tree(folder)


def new_home(folder: Path) -> Home:
    """Make an empty home below a short folder."""
    parts = [folder / name for name in ("h", "r", "s", "c", "x")]
    for part in parts:
        part.mkdir(mode=0o700)
    return Home(*parts)


@pytest.fixture
def home(short_path: Path) -> Home:
    """An empty home; see Home."""
    return new_home(short_path)


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of the C programs, built if they are not there yet."""
    if not all((PROGRAMS / f"cleanroom-{name}").exists() for name in ("launch", "agent")):
        for folder in ("native", "agent"):
            subprocess.run(["/usr/bin/make", "-C", str(ROOT / folder)], check=True)
    return PROGRAMS


@pytest.fixture(scope="session")
def mise_program() -> Path:
    """The real mise, by the npm package that tools/mise pins; fetched if it is not there yet."""
    if platform.machine() != "x86_64":
        pytest.skip(f"this machine lacks a pinned mise: it is {platform.machine()}")
    subprocess.run(["/usr/bin/make", "-s", "-C", str(ROOT), "mise"], check=True)
    return ROOT / "build/mise/node_modules/@jdxcode/mise-linux-x64/bin/mise"


def pytest_report_header() -> str:
    """Name the seed of all fuzz tests, so that a night can be had again."""
    return f"fuzz tests: CLEANROOM_SEED={SEED}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the nightly tests out of every other run; they are deselected, not skipped."""
    if NIGHTLY:
        return
    kept = [item for item in items if item.get_closest_marker("nightly") is None]
    left_out = [item for item in items if item.get_closest_marker("nightly") is not None]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Leave word whether every test ran, for tools/try-again."""
    if getattr(session.config, "cache", None) is not None:  # it can be switched off
        session.config.cache.set("cleanroom/exitstatus", int(exitstatus))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure unless its reason says what this machine lacks."""
    report = yield
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    if report.skipped and not hasattr(report, "wasxfail") and not ACCEPTED_SKIP.match(reason):
        report.outcome = "failed"
        report.longrepr = f"{reason!r}: a skip must say 'this machine lacks ...'"
    return report
