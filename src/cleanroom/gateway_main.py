"""The gateway process: `python -m cleanroom.gateway_main CONTROL CACHE [UID GID]`.

In: descriptors of two connected sockets, for control and of the content cache; for a root daemon,
whom to become. Out: exit status 0 when the daemon closed the first.
Never: a privilege, a file or a child process once it serves.
"""

import gc
import os
import socket
import sys
from typing import Final

from cleanroom.gateway import ca
from cleanroom.gateway.confine import confine
from cleanroom.gateway.resolver import ask_host
from cleanroom.gateway.server import Gateway

_SWITCH_S: Final = 0.001  # a thread that makes a long page lets the loop go on as soon


def main(arguments: list[str]) -> int:
    """Confine this process, then serve until the control socket ends."""
    link, cache = (socket.socket(fileno=int(text)) for text in arguments[:2])
    for each in (link, cache):
        each.set_inheritable(False)
    uid, gid = (int(text) for text in arguments[2:4]) if len(arguments) > 3 else (None, None)
    if uid is None and os.geteuid() == 0:
        print_error = "cleanroom gateway: started as root without a uid to become"
        sys.stderr.write(print_error + "\n")
        return 1
    ask_host("localhost")  # loads what getaddrinfo loads, while it can still be read
    ca.load()
    confine(uid, gid)
    gateway = Gateway(link, cache=cache)
    # What is here now stays, and connections leave no cycles: collect seldom, look at little.
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    sys.setswitchinterval(_SWITCH_S)
    gateway.run()
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)  # threads may hang in a look-up; nobody waits for them
