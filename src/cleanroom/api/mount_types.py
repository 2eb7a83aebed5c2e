"""What a person shows a sandbox beside its workspace, as messages.

In: JSON. Out: frozen Structs. Never: something that a repository could say; only flags and the
operator's configuration do.
"""

from typing import Annotated, Literal

from msgspec import Meta

from cleanroom.api.message import END, HostPath, Message

WorkspaceMode = Literal["cow", "ro", "live"]


class MountRequest(Message, frozen=True):
    """A folder of the host inside at `at` ("" is its own path).

    `writable`: kept in step both ways, as a live workspace is; otherwise read-only.
    """

    path: HostPath  # canonical
    at: HostPath = ""
    writable: bool = False

    @property
    def place(self) -> str:
        """Where it is inside."""
        return self.at or self.path

    def text(self) -> str:
        """Return it as it is written on the command line."""
        at = f":{self.at}" if self.at else ""
        return f"{self.path}{at}{':rw' if self.writable else ''}"


MountRequests = Annotated[list[MountRequest], Meta(max_length=16)]


# --- volumes: folders that outlive sandboxes, each of one workspace -----------------------

VolumeName = Annotated[str, Meta(pattern=f"^[a-z0-9][a-z0-9._-]{{0,62}}{END}")]


class VolumeRequest(Message, frozen=True):
    """The workspace's volume of this name, writable inside at `at`; made if there is none."""

    name: VolumeName
    at: HostPath


VolumeRequests = Annotated[list[VolumeRequest], Meta(max_length=8)]


class Volume(Message, frozen=True):
    """One volume. `gone`: its workspace is no more; `sandbox_id`: who has it now."""

    name: str
    workspace: str
    bytes: int
    used_at: str
    gone: bool = False
    sandbox_id: str | None = None


class VolumeList(Message, frozen=True):
    """By workspace and name."""

    volumes: list[Volume]


class VolumeRemoval(Message, frozen=True):
    """Remove a workspace's volume `name`; or, without one, those of workspaces that are gone.

    `unused`: all that no sandbox has, of every workspace.
    """

    workspace: HostPath = ""
    name: VolumeName | None = None
    unused: bool = False
