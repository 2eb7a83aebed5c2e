"""A repository, a view of it, and a real overlay mount in which a script may do its worst."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from cleanroom.backends.workspace.changes import Changes, change_set
from cleanroom.backends.workspace.prepare import prepare
from cleanroom.backends.workspace.scan import ScanCache
from cleanroom.sandbox.host import WorkspaceView


def _namespace() -> tuple[str, ...]:
    """As root a mount namespace; as anybody else a user namespace too, as cleanroom does."""
    own = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    return ("/usr/bin/unshare", "--mount", *own, "--")


@dataclass
class Workspace:
    """`root` is the repository, `folder` the sandbox's own."""

    base: Path
    cache: ScanCache = field(default_factory=ScanCache)

    def __post_init__(self) -> None:
        self.root = self.base / "repo"
        self.folder = self.base / "sandbox"
        self.merged = self.base / "merged"
        for folder in (self.root, self.folder, self.merged):
            folder.mkdir()

    def write(self, path: str, text: str = "", mode: int = 0o644) -> Path:
        """A file of the repository."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)
        return place

    def prepare(self) -> WorkspaceView:
        return prepare(str(self.root), self.folder, self.cache)

    def run(self, script: str) -> str:
        """Prepare, mount as the backend does, run `script` in the view; its output."""
        overlay = self.prepare().overlays[0]
        options = [
            f"lowerdir={':'.join(overlay.lowers)}",
            f"upperdir={overlay.upper}",
            f"workdir={overlay.work}",
            *(["redirect_dir=off"] if os.geteuid() == 0 else ["userxattr"]),
            "metacopy=off,index=off",
        ]
        mount = f"mount -t overlay overlay -o {','.join(options)} {self.merged}"
        line = f"set -e; {mount}; cd {self.merged}; {script}"
        return subprocess.run(
            [*_namespace(), "/bin/sh", "-c", line], check=True, capture_output=True, text=True
        ).stdout

    def changes(self) -> Changes:
        return change_set(self.folder)

    def kinds(self) -> dict[str, str]:
        """path -> kind of the changes that count."""
        return {change.path: change.kind for change in self.changes().changes}


def tree(root: Path) -> dict[str, str]:
    """Every path of the repository and what it is."""
    found = {}
    for place in sorted(root.rglob("*")):
        name = str(place.relative_to(root))
        if place.is_symlink():
            found[name] = f"-> {place.readlink()}"
        elif place.is_dir():
            found[name] = "folder"
        else:
            found[name] = f"{place.stat().st_mode & 0o7777:o} {place.read_text()}"
    return found


def later(place: Path) -> None:
    """A change of the host that the kernel's clock certainly sees as later than the view."""
    before = place.lstat().st_ctime_ns
    while place.lstat().st_ctime_ns == before:
        place.chmod(place.stat().st_mode & 0o7777)
