"""What tells one workspace folder from another that stands, or stood, in its place.

In: a canonical path. Out: device, inode and time of birth as one word. Never: a name or a text in
the folder; whoever writes there could write those too.

An inode number alone is no identity: file systems give it to the next folder at once. The time of
birth is the kernel's (statx(2)); where a file system keeps none it is 0, and the number has to do.
"""

import ctypes
import os
import stat
from typing import Final

from cleanroom.errors import Code, UserError

_AT_FDCWD: Final = -100
_AT_SYMLINK_NOFOLLOW: Final = 0x100
_STATX_MASK: Final = 0x802  # STATX_MODE | STATX_BTIME
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_uint32),
                ("reserved", ctypes.c_int32))  # fmt: skip


class _Statx(ctypes.Structure):
    """struct statx up to what is read here; the kernel writes all 256 bytes."""

    _fields_ = (
        ("mask", ctypes.c_uint32), ("blksize", ctypes.c_uint32), ("attributes", ctypes.c_uint64),
        ("nlink", ctypes.c_uint32), ("uid", ctypes.c_uint32), ("gid", ctypes.c_uint32),
        ("mode", ctypes.c_uint16), ("spare", ctypes.c_uint16), ("ino", ctypes.c_uint64),
        ("size", ctypes.c_uint64), ("blocks", ctypes.c_uint64), ("known", ctypes.c_uint64),
        ("atime", _Time), ("btime", _Time), ("ctime", _Time), ("mtime", _Time),
        ("rdev_major", ctypes.c_uint32), ("rdev_minor", ctypes.c_uint32),
        ("dev_major", ctypes.c_uint32), ("dev_minor", ctypes.c_uint32),
        ("rest", ctypes.c_uint64 * 14),
    )  # fmt: skip


def workspace_mark(path: str) -> str:
    """Return the folder's mark. Raises UserError if it is gone or no folder."""
    found = _Statx()
    failed = _LIBC.statx(
        _AT_FDCWD, os.fsencode(path), _AT_SYMLINK_NOFOLLOW, _STATX_MASK, ctypes.byref(found)
    )
    if failed or not stat.S_ISDIR(found.mode):
        why = os.strerror(ctypes.get_errno()) if failed else "it is not a folder"
        message = f"cannot use the workspace: {why}"
        raise UserError(Code.REQUEST_INVALID, message, "name a project folder")
    born = f"{found.btime.seconds}.{found.btime.nanoseconds:09}"
    return f"{found.dev_major}:{found.dev_minor}:{found.ino}:{born}"
