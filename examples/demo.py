"""make demo: real npm and pip work in sandboxes, and what cleanroom says about it.

In: the projects beside this file, the registries that this machine's own clients use.
Out: what ran, what was refused and why, the timings, the change set; status 0 only if all of it is
as promised. Never: a change outside a temporary folder, which is removed at the end.
"""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLEANROOM = Path(sys.executable).parent / "cleanroom"
# A host that no policy of the demo allows. Nobody owns names under .example.
DENIED = "exfiltration.example"
PYTHON_WORK = (
    "/usr/bin/python3 -m venv .venv && .venv/bin/pip install --quiet --require-hashes"
    " -r requirements.txt && .venv/bin/python -m unittest"
)


class BrokenPromiseError(Exception):
    """Something was not as promised."""


class Demo:
    """A person with an empty home, a daemon of their own, and two small repositories."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "CLEANROOM_HOST": f"unix://{folder}/run/cleanroom/cleanroom.sock",
        }
        # The registries are the person's own, wherever they configured them.
        npmrc = Path.home() / ".npmrc"
        if npmrc.exists():
            self.environment.setdefault("NPM_CONFIG_USERCONFIG", str(npmrc))
        for name in ("home", "run", "state", "cache", "config"):
            (folder / name).mkdir(mode=0o700)

    def cleanroom(self, project: Path, *arguments: str, expect: int | None = 0) -> str:
        """Run the command in `project`, show it and what it says; return its standard output."""
        say(f"\n$ cleanroom {' '.join(quoted(word) for word in arguments)}")
        began = time.monotonic()
        done = subprocess.run(
            [str(CLEANROOM), *arguments],
            cwd=project, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        say(done.stdout.rstrip())
        say(f"  [status {done.returncode}, {time.monotonic() - began:.2f} s]")
        if expect is not None and done.returncode != expect:
            message = f"the status should be {expect}"
            raise BrokenPromiseError(message)
        return done.stdout

    def last_run(self, project: Path) -> str:
        """Return the id of the newest run, as a script would learn it."""
        done = subprocess.run(
            [str(CLEANROOM), "status", "--json"],
            cwd=project, env=self.environment, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        run_id: str = json.loads(done.stdout)["id"]
        return run_id

    def repository(self, name: str) -> Path:
        """Return a git repository of its own with a copy of an example."""
        project = self.folder / name
        shutil.copytree(
            HERE / name, project, ignore=shutil.ignore_patterns("node_modules", ".venv")
        )
        git = shutil.which("git") or "/usr/bin/git"
        for arguments in (["init", "--quiet"], ["add", "--all"]):
            subprocess.run([git, *arguments], cwd=project, env=self.environment, check=True)
        return project

    def run_node(self) -> None:
        """Install and test a Node project; then show that the host has not changed."""
        say("\n== A Node project: npm install && npm test")
        project = self.repository("node")
        self.cleanroom(project, "init")
        self.cleanroom(project, "exec", "--", "npm install && npm test")
        if (project / "node_modules").exists():
            message = "node_modules is on the host: the workspace was not a view"
            raise BrokenPromiseError(message)

    def run_python(self) -> None:
        """Install from pinned hashes, ask for a denied host, change a file, look at it all."""
        say("\n== A Python project: a virtual environment and pip install")
        project = self.repository("python")
        self.cleanroom(project, "init")
        self.cleanroom(project, "exec", "--", PYTHON_WORK)

        say("\n== A host that the policy does not allow, and a file changed inside")
        before = (project / "report.py").read_bytes()
        self.cleanroom(
            project, "exec", "--",
            f"echo '# changed inside' >> report.py; git ls-remote https://{DENIED}/secrets.git",
            expect=None,
        )  # fmt: skip
        if (project / "report.py").read_bytes() != before:
            message = "report.py changed on the host"
            raise BrokenPromiseError(message)
        run_id = self.last_run(project)

        say("\n== What was refused, and why")
        refused = self.cleanroom(project, "audit", "--denied", "--run-id", run_id)
        if DENIED not in refused:
            message = f"the audit does not name {DENIED}"
            raise BrokenPromiseError(message)
        say("\n== How long each step took")
        self.cleanroom(project, "status", "--run-id", run_id)
        say("\n== What the run changed; nothing of it is on the host until: cleanroom apply")
        patch = self.cleanroom(project, "diff", "--patch", "--run-id", run_id)
        if "+# changed inside" not in patch:
            message = "the change set does not show the changed line"
            raise BrokenPromiseError(message)
        self.cleanroom(project, "audit", "verify")


def quoted(word: str) -> str:
    """Return a word as a person would type it."""
    return f'"{word}"' if " " in word else word


def say(text: str) -> None:
    """Print at once, in order with what the command writes to standard error."""
    print(text, flush=True)


def wait_for_socket(path: Path, daemon: subprocess.Popen[bytes]) -> None:
    """Return when the daemon answers; it has ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and daemon.poll() is None:
        with socket.socket(socket.AF_UNIX) as attempt:
            if attempt.connect_ex(str(path)) == 0:
                return
        time.sleep(0.02)
    message = "the daemon did not start"
    raise BrokenPromiseError(message)


def remove(folder: Path) -> None:
    """Remove a folder, also where an overlay left a work directory that nobody may read."""
    for parent, names, _ in os.walk(folder):
        for name in names:
            child = Path(parent) / name
            if not child.is_symlink():
                child.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


def prepare_machine() -> None:
    """Stop with the repair if no runtime is ready; root repairs what can be repaired."""
    doctor = [str(CLEANROOM), "doctor"]
    if subprocess.run(doctor, check=False, capture_output=True).returncode == 0:
        return
    if os.geteuid() == 0:
        subprocess.run([*doctor, "--fix"], check=False)
    if subprocess.run(doctor, check=False).returncode != 0:
        message = "no runtime is ready on this machine; the lines above say what to repair"
        raise BrokenPromiseError(message)


def main() -> int:
    """Run it all; return the exit status."""
    prepare_machine()
    folder = Path(
        tempfile.mkdtemp(prefix="crdemo", dir="/tmp")
    )  # short: unix sockets have 107 bytes
    demo = Demo(folder)
    socket_path = folder / "run" / "cleanroom" / "cleanroom.sock"
    daemon = subprocess.Popen(
        [str(CLEANROOM), "serve", "--listen", f"unix://{socket_path}"],
        env=demo.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for_socket(socket_path, daemon)
        if shutil.which("npm"):
            demo.run_node()
        else:
            say("Node is not installed here: this is the Python half of the demo.")
        demo.run_python()
    finally:
        daemon.terminate()
        daemon.wait(timeout=20)
        remove(folder)
    say("\nEverything was as promised, and nothing on this machine has changed.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPromiseError as failure:
        say(f"\nThe demo failed: {failure}")
        sys.exit(1)
