"""Who is at the other end of the socket, and may they.

In: a connected unix socket. Out: the caller's uid, or a refusal. Never: another user, root
included; the folder's mode keeps them out already, and this is asked of the kernel each time.
"""

import socket
import struct
from typing import Final

from cleanroom.errors import Code, Refused

_UCRED: Final = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)


def peer_uid(connection: socket.socket) -> int:
    """Return the uid of the process that connected, as the kernel recorded it then."""
    size = _UCRED.size
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(_UCRED.unpack(credentials)[1])


def judge_peer(uid: int, own_uid: int) -> str:
    """Return what audit lines call the caller. Raises Refused for anybody else's uid."""
    if uid != own_uid:
        message = f"cannot serve uid {uid}: this daemon belongs to uid {own_uid}"
        raise Refused(Code.REQUEST_INVALID, message, "start your own: cleanroom serve")
    return f"uid:{uid}"
