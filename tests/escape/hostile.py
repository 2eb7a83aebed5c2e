"""Hostile programs: Python run inside a real sandbox, which reports what it could do.

In: a temporary folder and a program that sets `result`. Out: that value. Programs may use
`call(name, *arguments)`: a raw system call, 0 or more if it worked, minus the errno if not.
"""

import json
from pathlib import Path
from typing import Any

from cleanroom.backends.base import Sandbox
from cleanroom.backends.namespaces import NamespacesBackend
from tests.backends.machines import python, run, small_spec, started, within

PRELUDE = """
import ctypes, errno, json, os, platform, signal, socket, sys
X86 = platform.machine() == "x86_64"
LIBC = ctypes.CDLL(None, use_errno=True)
NUMBERS = {  # name: (x86_64, aarch64)
    "getpid": (39, 172), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268), "clone": (56, 220),
    "clone3": (435, 435), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsmount": (432, 432), "mount_setattr": (442, 442), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117),
    "kcmp": (312, 272), "syslog": (103, 116), "reboot": (169, 142), "swapon": (167, 224),
    "acct": (163, 89), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "sethostname": (170, 161), "setdomainname": (171, 162), "personality": (135, 92),
    "quotactl": (179, 60), "memfd_secret": (447, 447), "move_pages": (279, 239),
    "prlimit64": (302, 261), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274),
}
def call(name, *arguments):
    ctypes.set_errno(0)
    number = NUMBERS[name][0 if X86 else 1] if isinstance(name, str) else name
    value = LIBC.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return value if value >= 0 else -ctypes.get_errno()
def attempt(action, *arguments):
    try:
        action(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
"""


async def report(sandbox: Sandbox, program: str) -> Any:  # noqa: ANN401 -- JSON of our own making
    """Run a program in a sandbox and return its `result`."""
    said = await run(sandbox, python(f"{PRELUDE}\n{program}\nprint(json.dumps(result))"))
    assert said.status == 0, said.text
    return json.loads(said.text)


def look(folder: Path, program: str) -> Any:  # noqa: ANN401
    """Run a program in a sandbox of its own and return its `result`."""

    async def scenario() -> Any:  # noqa: ANN401
        backend = NamespacesBackend(folder / "state")
        async with started(backend, small_spec(folder)) as sandbox:
            return await report(sandbox, program)

    return within(20, scenario())
