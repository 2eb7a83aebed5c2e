"""The base of every message of the API, and the bounds of its texts.

In: nothing. Out: types. Never: a message itself; they stand in *types.py and streams.py.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

# `$` alone also matches before a last line feed; this is the end in Python and in JSON Schema.
END = r"$(?!\n)"

Argument = Annotated[str, Meta(max_length=131_072)]
Argv = Annotated[list[Argument], Meta(min_length=1, max_length=4096)]
HostPath = Annotated[str, Meta(max_length=4096)]
Word = Annotated[str, Meta(max_length=256)]
Text = Annotated[str, Meta(max_length=65_536)]  # one file of the caller, such as a policy
# a name to find or to give, or an id to find
LockText = Annotated[str, Meta(max_length=16 * 1024 * 1024)]  # a lock file, or many together
SandboxWord = Annotated[str, Meta(pattern=f"^([a-z0-9][a-z0-9-]{{0,62}}|sbx_[0-9a-f]{{20}}){END}")]
SignalName = Annotated[str, Meta(pattern=f"^[A-Z][A-Z0-9]{{1,8}}{END}")]  # "TERM"
Offset = Annotated[int, Meta(ge=0, le=2**53)]  # of a byte in a stream
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
Cells = Annotated[int, Meta(ge=1, le=10_000)]  # of a terminal


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every message."""
