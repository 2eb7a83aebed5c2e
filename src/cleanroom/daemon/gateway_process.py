"""How the gateway process is started: what it runs, as whom, with which environment.

In: the descriptors that it is given. Out: a Launch. Never: anything of the daemon's environment.
"""

import os
import sys
from pathlib import Path
from typing import Final

import cleanroom
from cleanroom.backends.process import Launch

GATEWAY_ID: Final = 0x6FFFFFFF  # uid and gid of a root daemon's gateway: nobody else's

# Pieces of 256 KiB come and go all day. By default glibc gives each back to the kernel and has it
# cleared anew: three times the processor time of all else that a large file from the cache costs.
_ALLOCATOR: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(8 * 1024 * 1024),
}


def launch_of(control: int, cache: int) -> Launch:
    """Return what is started; the two descriptors are connected sockets that it inherits."""
    who = (str(GATEWAY_ID), str(GATEWAY_ID)) if os.geteuid() == 0 else ()
    folder = str(Path(cleanroom.__file__).parent.parent)
    module = ("-P", "-s", "-m", "cleanroom.gateway_main")
    return Launch(
        argv=(sys.executable, *module, str(control), str(cache), *who),
        environment={"LANG": "C.UTF-8", "PYTHONPATH": folder, **_ALLOCATOR},
        pass_fds=(control, cache),
        stderr=2,
    )
