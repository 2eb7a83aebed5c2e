"""The reader of lock files, in a process of its own.

In: `-m cleanroom.lockfile_main FD SECONDS MEMORY OUTPUT [UID GID]`: what it may take, in bytes; for
a root daemon, whom to become. A byte on standard input once the texts are there, or its end if they
never will be; then the texts at FD, as lockfile/lines.py packs them.
Out: its lines on standard output; exit status 3 if the memory was not enough. Never: a text read
before it has given up every right; a file, a socket or another process.
"""

import gc
import importlib
import os
import resource
import sys

from cleanroom.gateway.confine import confine
from cleanroom.lockfile.formats import try_to_read
from cleanroom.lockfile.lines import OUT_OF_MEMORY, begin, encode, unpack


def main(arguments: list[str]) -> int:
    """Read what came, in the order of the paths."""
    descriptor, seconds, memory, output, *who = map(int, arguments)
    uid, gid = who or (None, None)
    if uid is None and os.geteuid() == 0:
        sys.stderr.write("cleanroom reader: started as root without a uid to become\n")
        return 1
    # By itself: a root daemon in a container may not bound a process that is another user by now.
    _bound(resource.RLIMIT_CPU, seconds)
    _bound(resource.RLIMIT_AS, memory)
    _bound(resource.RLIMIT_FSIZE, output)
    importlib.import_module("unicodedata")  # urlsplit's, for some addresses; later is too late
    confine(uid, gid, is_alone=True)
    gc.disable()  # it lives as long as its texts
    if not os.read(0, 1):
        return 0  # the daemon that would have had some is gone
    out = sys.stdout.buffer
    try:
        texts = unpack(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
        for path in sorted(texts):
            out.write(begin(path))
            out.flush()  # who ends this process sees where it was
            out.writelines(encode(try_to_read(path, texts.pop(path))))
    except MemoryError:
        return OUT_OF_MEMORY
    out.flush()
    return 0


def _bound(kind: int, most: int) -> None:
    _, before = resource.getrlimit(kind)
    most = most if before == resource.RLIM_INFINITY else min(most, before)
    resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)  # what it has read need not be taken down piece by piece
