"""run-observability.json of each run, and what makes a run reproducible.

In: finished Run records. Out: `runs/RUN_ID/run-observability.json`, whole or not at all; versions
and paths of tools. Never: a process started while a client waits for its result.
"""

import asyncio
import contextlib
import json
import os
import platform
import shutil
from pathlib import Path
from typing import Final

from cleanroom.api import codec
from cleanroom.api.types import Run
from cleanroom.backends.process import Launch, capture
from cleanroom.errors import Code, Fault

TOOLS: Final = ("node", "npm", "python3", "git")
FILE: Final = "run-observability.json"
_WAIT_S: Final = 5.0


class Observability:
    """Writes the files below `folder`; looks for tools in `path`, a PATH like the sandbox's."""

    def __init__(self, folder: Path, path: str) -> None:
        self._folder = folder
        self._path = path
        self._system = system()
        self._tools: dict[str, str] = {}

    def environment(self) -> dict[str, str]:
        """Return operating system, kernel, and path and version of each tool that is known."""
        return self._system | self._tools

    async def find_tools(self) -> None:
        """Learn paths and versions of the tools, once, beside the daemon's other work."""
        for tool in TOOLS:
            place = shutil.which(tool, path=self._path)
            if place is not None:
                self._tools[f"{tool}.path"] = place
                self._tools[f"{tool}.version"] = await version_of(tool, place)

    async def write(self, run: Run) -> None:
        """Write the run's file. Raises Fault(internal)."""
        await asyncio.to_thread(self._write, run)

    async def prune(self, most: int) -> None:
        """Keep the newest `most` runs' files; the store still has every record."""
        await asyncio.to_thread(self._prune, most)

    def _prune(self, most: int) -> None:
        if not self._folder.is_dir():
            return
        newest = sorted(self._folder.iterdir(), key=lambda each: each.lstat().st_mtime)
        for folder in newest[: max(0, len(newest) - most)]:
            shutil.rmtree(folder, ignore_errors=True)

    def _write(self, run: Run) -> None:
        folder = self._folder / run.id
        document = json.dumps(json.loads(codec.encode(run)), indent=1) + "\n"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = folder / f"{FILE}.new"
            fresh.write_text(document)
            fresh.replace(folder / FILE)
        except OSError as error:
            message = f"cannot write {folder / FILE}: {error.strerror}"
            raise Fault(Code.INTERNAL, message) from error


def system() -> dict[str, str]:
    """Return name and version of the distribution, the kernel and the machine."""
    with contextlib.suppress(OSError):
        return _kernel() | {"os": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")}
    return _kernel() | {"os": "Linux"}


def _kernel() -> dict[str, str]:
    name = os.uname()
    return {"kernel": name.release, "machine": name.machine}


async def version_of(tool: str, place: str) -> str:
    """Return a tool's version, "" if it does not say. npm is asked by its files: it is slow."""
    if tool == "npm":
        return await asyncio.to_thread(_npm_version, Path(place))
    launch = Launch((place, "--version"), {"PATH": os.defpath, "LC_ALL": "C"})
    try:
        answer = await capture(launch, _WAIT_S)
    except Fault:
        return ""
    words = answer.stdout.decode("utf-8", "replace").split()
    return words[-1].removeprefix("v")[:60] if words else ""


def _npm_version(place: Path) -> str:
    package = place.resolve().parent.parent / "package.json"
    try:
        return str(json.loads(package.read_bytes())["version"])[:60]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
