"""The gateway's own process, started the way nobody should start it."""

import os
import socket
import subprocess
import sys

from cleanroom.gateway import control


def start(*ids: str) -> "tuple[socket.socket, subprocess.Popen[str]]":  # noqa: TID251
    """Start the process; return our end of its control socket."""
    ours, theirs = socket.socketpair()
    ours.settimeout(15)
    cache, its_cache = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, cache, its_cache:
        descriptors = (theirs.fileno(), its_cache.fileno())
        process = subprocess.Popen(  # noqa: TID251 -- not by the link, which does it right
            [sys.executable, "-m", "cleanroom.gateway_main", *map(str, descriptors), *ids],
            pass_fds=descriptors,
            stderr=subprocess.PIPE,
            text=True,
        )
    return ours, process


def test_it_serves_until_the_socket_ends() -> None:
    ids = ("1879048191", "1879048191") if os.geteuid() == 0 else ()
    link, process = start(*ids)
    with process:
        link.send(control.encode(control.CloseDoor("sbx_1")))
        (body,) = control.Inbox().bodies(link.recv(1000))
        assert control.decode_for_daemon(body) == control.DoorClosed("sbx_1")
        link.close()
        assert process.wait(15) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_root_without_an_identity_to_become_is_refused() -> None:
    link, process = start()
    with process, link:
        if os.geteuid() == 0:
            assert process.wait(15) == 1
            assert process.stderr is not None
            assert "without a uid" in process.stderr.read()
        else:
            link.close()
            assert process.wait(15) == 0
