"""Takes away from the gateway process what it does not need, after everything is imported.

In: the uid and gid to become (a root daemon names them). Out: a process that cannot start another,
write or create a file, signal, trace, mount, or read more of the disk than name resolution needs;
one that is alone opens no file and no socket at all.
Never: a weaker confinement in silence; each step raises OSError, but for Landlock where the kernel
has none (files are then guarded by the uid and the filter alone).
"""

import ctypes
import errno
import os
import platform
import resource
import struct
from typing import Final

_libc = ctypes.CDLL(None, use_errno=True)

# <linux/prctl.h>
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2
# <linux/seccomp.h>, <linux/bpf_common.h>
_KILL: Final = 0x80000000
_ERRNO: Final = 0x00050000
_EPERM: Final = _ERRNO | errno.EPERM
_ALLOW: Final = 0x7FFF0000
_LOAD: Final = 0x20
_IF_EQUAL: Final = 0x15
_IF_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_AT_NUMBER: Final = 0
_AT_ARCH: Final = 4
_AT_ARGUMENTS: Final = 16

# Each call, its number on x86_64 and on aarch64 (None: there is none), by what it would give away.
_DENIED: Final[tuple[tuple[str, int | None, int | None], ...]] = (
    # another program or process
    ("execve", 59, 221), ("execveat", 322, 281), ("fork", 57, None), ("vfork", 58, None),
    # others' memory, descriptors, signals
    ("ptrace", 101, 117), ("process_vm_readv", 310, 270), ("process_vm_writev", 311, 271),
    ("pidfd_getfd", 438, 438), ("kill", 62, 129), ("tkill", 200, 130),
    ("pidfd_send_signal", 424, 424), ("userfaultfd", 323, 282),
    # mounts and namespaces
    ("mount", 165, 40), ("umount2", 166, 39), ("pivot_root", 155, 41), ("chroot", 161, 51),
    ("unshare", 272, 97), ("setns", 308, 268), ("open_tree", 428, 428), ("move_mount", 429, 429),
    ("fsopen", 430, 430), ("fsmount", 432, 432), ("fspick", 433, 433), ("mount_setattr", 442, 442),
    # the kernel itself
    ("bpf", 321, 280), ("perf_event_open", 298, 241), ("init_module", 175, 105),
    ("finit_module", 313, 273), ("delete_module", 176, 106), ("kexec_load", 246, 104),
    ("kexec_file_load", 320, 294), ("reboot", 169, 142), ("add_key", 248, 217),
    ("request_key", 249, 218), ("keyctl", 250, 219), ("personality", 135, 92),
    # ways around this filter
    ("io_uring_setup", 425, 425), ("io_uring_enter", 426, 426), ("io_uring_register", 427, 427),
    ("open_by_handle_at", 304, 265), ("openat2", 437, 437),
    # files: nothing is made, changed or removed (open and openat are judged by their flags)
    ("creat", 85, None), ("truncate", 76, 45), ("unlink", 87, None), ("unlinkat", 263, 35),
    ("rename", 82, None), ("renameat", 264, 38), ("renameat2", 316, 276), ("mkdir", 83, None),
    ("mkdirat", 258, 34), ("rmdir", 84, None), ("link", 86, None), ("linkat", 265, 37),
    ("symlink", 88, None), ("symlinkat", 266, 36), ("chmod", 90, None), ("fchmod", 91, 52),
    ("fchmodat", 268, 53), ("fchmodat2", 452, 452), ("chown", 92, None), ("fchown", 93, 55),
    ("lchown", 94, None), ("fchownat", 260, 54), ("mknod", 133, None), ("mknodat", 259, 33),
)  # fmt: skip
# What a process that is alone has no use for either.
_DENIED_ALONE: Final[tuple[tuple[str, int | None, int | None], ...]] = (
    ("open", 2, None), ("openat", 257, 56), ("socket", 41, 198), ("socketpair", 53, 199),
)  # fmt: skip
# (audit architecture, column of the table, numbers of open and openat with their flags' place,
# number of clone)
_MACHINES: Final = {
    "x86_64": (0xC000003E, 1, ((2, 1), (257, 2)), 56),
    "aarch64": (0xC00000B7, 2, ((56, 2),), 220),
}
_CLONE3: Final = 435  # its flags are in memory, out of a filter's sight: libc falls back to clone
_CLONE_THREAD: Final = 0x10000
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_X32: Final = 0x40000000

# Name resolution reads these; everything else was read before.
_READABLE_FOLDERS: Final = ("/etc", "/run", "/usr/share", "/usr/lib", "/lib", "/lib64", "/dev")
_LANDLOCK_CREATE: Final = 444
_LANDLOCK_ADD: Final = 445
_LANDLOCK_RESTRICT: Final = 446
_LANDLOCK_ALL_ACCESS: Final = (1 << 13) - 1  # all rights of ABI 1
_LANDLOCK_READ: Final = (1 << 2) | (1 << 3)  # read a file, list a folder
_LANDLOCK_BENEATH: Final = 1


def confine(uid: int | None, gid: int | None, *, is_alone: bool = False) -> None:
    """Drop everything, in the only order that works. Raises OSError.

    `is_alone`: it goes on with the descriptors that it has.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _raise_descriptor_limit()
    if uid is not None and gid is not None:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _restrict_files(() if is_alone else _READABLE_FOLDERS)
    _load_filter(build_filter(platform.machine(), is_alone=is_alone))


def build_filter(machine: str, *, is_alone: bool = False) -> bytes:
    """Return the BPF program for this machine. Raises OSError on one without a table."""
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no system call table for {machine}")
    arch, column, opens, clone = _MACHINES[machine]
    program = [
        _step(_LOAD, _AT_ARCH), _step(_IF_EQUAL, arch, 1, 0), _step(_RETURN, _KILL),
        _step(_LOAD, _AT_NUMBER), _step(_IF_ANY_BIT, _X32, 0, 1), _step(_RETURN, _KILL),
    ]  # fmt: skip
    for row in _DENIED + (_DENIED_ALONE if is_alone else ()):
        number = row[column]
        if number is not None:
            program += [_step(_IF_EQUAL, int(number), 0, 1), _step(_RETURN, _EPERM)]
    program += [_step(_IF_EQUAL, _CLONE3, 0, 1), _step(_RETURN, _ERRNO | errno.ENOSYS)]
    for number, flags_at in opens:
        program += _judged_by_flags(number, flags_at, _WRITING, (_EPERM, _ALLOW))
    program += _judged_by_flags(clone, 0, _CLONE_THREAD, (_ALLOW, _EPERM))
    return b"".join([*program, _step(_RETURN, _ALLOW)])


def _judged_by_flags(
    number: int, flags_at: int, flags: int, answers: tuple[int, int]
) -> list[bytes]:
    """Return steps for one call: its first answer if any of the flags is set, else its second."""
    return [
        _step(_IF_EQUAL, number, 0, 4),
        _step(_LOAD, _AT_ARGUMENTS + 8 * flags_at),
        _step(_IF_ANY_BIT, flags, 0, 1),
        _step(_RETURN, answers[0]),
        _step(_RETURN, answers[1]),
    ]


def _step(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def _load_filter(program: bytes) -> None:
    buffer = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count, and a pointer to the instructions.
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header)


def _restrict_files(folders: tuple[str, ...]) -> None:
    attributes = struct.pack("=Q", _LANDLOCK_ALL_ACCESS)
    ruleset = _libc.syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0)
    if ruleset < 0 and ctypes.get_errno() in (errno.ENOSYS, errno.EOPNOTSUPP):
        return
    _check(ruleset)
    for folder in folders:
        try:
            descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        rule = struct.pack("=Qi", _LANDLOCK_READ, descriptor)
        _check(_libc.syscall(_LANDLOCK_ADD, ruleset, _LANDLOCK_BENEATH, rule, 0))
        os.close(descriptor)
    _check(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _prctl(option: int, value: int, pointer: bytes | None = None) -> None:
    arguments = (ctypes.c_ulong(value), pointer, ctypes.c_ulong(0), ctypes.c_ulong(0))
    _check(_libc.prctl(option, *arguments))


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
