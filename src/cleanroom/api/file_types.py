"""Files of a living sandbox, as messages.

In: JSON. Out: frozen Structs. Never: believed; a workload made the names.
"""

from msgspec import field

from cleanroom.api.message import Message


class FileEntry(Message, frozen=True):
    """One name in a folder. `kind`: "file", "folder", "link", or "other". Bytes that are not UTF-8
    stand as `\\xff`.
    """

    name: str
    kind: str
    size: int
    mode: int
    modified: float  # POSIX seconds
    target: str = ""  # of a link


class FileList(Message, frozen=True):
    """What `path` is inside: `kind` "file", "folder" (with its `entries`, by name), "other",
    or "missing". `truncated`: there are more than are listed.
    """

    path: str
    kind: str
    entries: list[FileEntry] = field(default_factory=list)
    truncated: bool = False
