"""In a default container sandboxes cannot be made: that is said at once, with the options it takes.

Debian's engine proves that they are enough, started here in namespaces of its own.
"""

import json
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.machines import system_links

ROOT = Path(__file__).resolve().parents[2]
PROBE = """
import asyncio, json, os, sys, time
from pathlib import Path
sys.path.insert(0, "/code/src")
from cleanroom.backends.namespaces import NamespacesBackend
began = time.monotonic()
probe = asyncio.run(NamespacesBackend(Path(os.environ.get("XDG_STATE_HOME", "/tmp"))).probe())
print(json.dumps([probe.ready, dict(probe.missing), time.monotonic() - began]))
"""

pytestmark = [pytest.mark.escape, pytest.mark.slow, pytest.mark.timeout(120)]


class Engine:
    """A dockerd of the test's own, with an image that is little more than links into /usr."""

    def __init__(self, folder: Path) -> None:
        self.socket = f"unix://{folder}/docker.sock"
        self.code = folder / "code"
        shutil.copytree(
            ROOT / "src", self.code / "src", ignore=shutil.ignore_patterns("__pycache__")
        )
        self._image = folder / "image.tar"
        with tarfile.open(self._image, "w") as image:
            for name in ("usr", "etc", "tmp", "proc", "dev", "sys", "run", "var", "root"):
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
                image.addfile(entry)
            for path, points_to in system_links():
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.type, entry.linkname = tarfile.SYMTYPE, points_to
                image.addfile(entry)

    def docker(self, *words: str) -> str:
        """Run the client and return what it printed."""
        argv = ["docker", "-H", self.socket, *words]
        said = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert said.returncode == 0, said.stderr
        return said.stdout

    def load(self) -> None:
        """Import the image."""
        self.docker("import", str(self._image), "view")

    def probe(self, *options: str) -> tuple[bool, dict[str, str], float]:
        """Probe in a container started with these options: ready, what is missing, seconds."""
        view = ("-v", "/usr:/usr:ro", "-v", f"{self.code}:/code:ro", "--network", "none")
        text = self.docker("run", "--rm", *view, *options, "view", "/usr/bin/python3", "-c", PROBE)
        ready, missing, seconds = json.loads(text)
        return ready, missing, seconds


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Iterator[Engine]:
    """Debian's engine, running."""
    if not (os.geteuid() == 0 and shutil.which("dockerd") and shutil.which("docker")):
        pytest.skip("this machine lacks a container engine that the tests may start")
    folder = tmp_path_factory.mktemp("engine")
    folder.chmod(0o755)
    made = Engine(folder)
    daemon = [
        *("unshare", "--net", "--mount", "dockerd", "-H", made.socket, "--bridge=none"),
        *("--iptables=false", "--ip6tables=false", f"--data-root={folder}/data"),
        *(f"--exec-root={folder}/exec", f"--pidfile={folder}/pid", "--log-level=error"),
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(daemon, stderr=log, start_new_session=True)  # noqa: TID251
    try:
        wait = "until docker -H $0 version >/dev/null 2>&1; do sleep 0.1; done"
        subprocess.run(["/usr/bin/timeout", "30", "/bin/sh", "-c", wait, made.socket], check=True)
        made.load()
        yield made
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


@pytest.mark.parametrize("user", ["0:0", "1000:1000"])
def test_the_options_that_are_named_are_enough(engine: Engine, user: str) -> None:
    ready, missing, seconds = engine.probe("-u", user)
    assert not ready
    assert seconds < 1
    (reason,) = [why for step, why in missing.items() if not step.startswith("limit_")]
    options = reason.partition("docker run ")[2].split()
    assert options
    assert engine.probe("-u", user, *options)[:1] == (True,), engine.probe("-u", user, *options)


@pytest.mark.parametrize("left_out", ["seccomp=unconfined", "systempaths=unconfined"])
def test_none_of_them_is_superfluous(engine: Engine, left_out: str) -> None:
    missing = engine.probe("-u", "1000:1000")[1]
    options = missing["userns"].partition("docker run ")[2].split()
    at = options.index(left_out)
    ready, missing, _ = engine.probe("-u", "1000:1000", *options[: at - 1], *options[at + 1 :])
    assert not ready
    assert left_out in " ".join(missing.values())
