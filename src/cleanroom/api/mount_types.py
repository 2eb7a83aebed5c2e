"""What a person shows a sandbox beside its workspace, as messages.

In: JSON. Out: frozen Structs. Never: something that a repository could say; only flags and the
operator's configuration do.
"""

from typing import Annotated, Literal

from msgspec import Meta

from cleanroom.api.message import HostPath, Message

WorkspaceMode = Literal["cow", "ro"]


class MountRequest(Message, frozen=True):
    """A folder of the host, read-only inside at `at` ("" is its own path)."""

    path: HostPath  # canonical
    at: HostPath = ""


MountRequests = Annotated[list[MountRequest], Meta(max_length=16)]
