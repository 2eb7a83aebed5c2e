"""The key that identities are hashed with before the index has them.

In: the folder of the content cache. Out: 32 bytes, the same for every daemon that shares it. Never:
a key that is half written; one that anybody else may read.

Without it the index would say whether a guessed credential was used here. One that is lost or
damaged is made anew: what was fetched with credentials is not found any more, and fetched again.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

_SIZE: Final = 32


def key_of(folder: Path) -> bytes:
    """Return the key of a folder, made if there is none. Raises OSError."""
    path = folder / "identity.key"
    key = _read(path)
    if len(key) != _SIZE:
        _make(path, is_damaged=bool(key) or path.exists())
        key = _read(path)
    return key


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_SIZE + 1)


def _make(path: Path, *, is_damaged: bool) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_SIZE))
            file.flush()
            os.fsync(file.fileno())
        if is_damaged:
            draft.replace(path)
        else:
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)  # of several daemons the first one's stays
    finally:
        draft.unlink(missing_ok=True)
