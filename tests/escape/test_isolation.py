"""Hostile programs against the isolation of a sandbox: promises I1 to I9.

Each has a positive control: what is allowed works in the same program, so that a sandbox in which
nothing works passes nothing.
"""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from cleanroom.backends.base import Command
from cleanroom.backends.namespaces import NamespacesBackend
from cleanroom.backends.namespaces.ids import COUNT, FIRST
from tests.backends.machines import ENVIRONMENT, python, run, shell, small_spec, started, within
from tests.escape.hostile import PRELUDE, look, report

pytestmark = [pytest.mark.escape, pytest.mark.usefixtures("programs")]

EPERM, ENOSYS = -errno.EPERM, -errno.ENOSYS


def status_of(pid: int) -> str:
    """What the host's kernel says of a process."""
    return Path(f"/proc/{pid}/status").read_text()


def test_the_kernels_settings_cannot_be_written(short_path: Path) -> None:
    """I1."""
    paths = """["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger",
      "/proc/sys/net/ipv4/ip_forward", "/proc/sys/vm/drop_caches",
      "/proc/kcore", "/proc/sys/fs/x"]"""
    program = f"""
result = {{path: attempt(os.open, path, os.O_WRONLY | os.O_CREAT) for path in {paths}}}
result["control"] = attempt(os.open, "/proc/self/comm", os.O_WRONLY)
result["sys"] = os.path.exists("/sys")
"""
    seen = look(short_path, program)
    assert seen.pop("control") == "done"
    assert seen.pop("sys") is False
    assert set(seen.values()) <= {"EROFS", "EACCES", "EPERM", "ENOENT"}


def test_no_control_group_can_be_reached(short_path: Path) -> None:
    """I2."""
    program = """
mounts = open("/proc/mounts").read().splitlines()
result = {"groups": [m for m in mounts if m.split()[2].startswith("cgroup")], "all": len(mounts)}
"""
    seen = look(short_path, program)
    assert seen["groups"] == []
    assert seen["all"] > 5


def test_a_process_has_no_rights_and_no_way_to_get_any(short_path: Path) -> None:
    """I3."""
    program = """
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
result = {key: status[key].strip() for key in
          ("NoNewPrivs", "Seccomp", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Groups")}
lines = open("/proc/self/mountinfo").read().splitlines()
result["shared"] = [line for line in lines if "shared:" in line or "master:" in line]
result["root"] = attempt(os.setuid, 0)
result["ids"] = [os.getuid(), os.getgid()]
"""
    none = "0" * 16
    seen = look(short_path, program)
    # Rootless, the kernel keeps the caller's groups; unmapped ones do not even show.
    assert set(seen.pop("Groups").split()) <= ({"1000", "65534"} if os.geteuid() else set())
    assert seen == {
        "NoNewPrivs": "1",
        "Seccomp": "2",
        **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), none),
        "shared": [],
        "root": "EINVAL",  # no such user in the namespace
        "ids": [1000, 1000],
    }


def test_no_sandbox_is_host_root(short_path: Path) -> None:
    """Decision 9: the host sees an unprivileged user, a sandbox's own if the daemon is root."""

    async def scenario() -> str:
        async with started(NamespacesBackend(short_path / "s"), small_spec(short_path)) as sandbox:
            return status_of(sandbox.pid)

    line = next(line for line in within(10, scenario()).splitlines() if line.startswith("Uid:"))
    (uid,) = set(map(int, line.split()[1:]))
    assert FIRST <= uid < FIRST + COUNT if os.geteuid() == 0 else uid == os.geteuid()


def test_no_namespace_and_no_mount_can_be_made(short_path: Path) -> None:
    """I4. clone3 answers as if it did not exist, so that libc falls back to clone."""
    program = """
flags = {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "net": 0x40000000,
         "ipc": 0x08000000, "uts": 0x04000000, "cgroup": 0x02000000}
result = {f"unshare {name}": call("unshare", flag) for name, flag in flags.items()}
result |= {f"clone {name}": call("clone", flag | 17, 0, 0, 0, 0) for name, flag in flags.items()}
for name in ("mount", "umount2", "pivot_root", "chroot", "setns", "open_tree", "move_mount",
             "fsopen", "fsmount", "mount_setattr"):
    result[name] = call(name, 0, 0, 0, 0, 0)
result["clone3"] = call("clone3", 0, 0)
child = os.fork()
if not child:
    os._exit(5)
result["control"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
    seen = look(short_path, program)
    assert seen.pop("control") == 5
    assert seen.pop("clone3") == ENOSYS
    assert set(seen.values()) == {EPERM}


def test_dangerous_system_calls_are_refused(short_path: Path) -> None:
    """I5, and what the filter's table says of the clock, the host's kernel and other processes."""
    program = """
denied = ("bpf perf_event_open userfaultfd keyctl add_key request_key kexec_load kexec_file_load "
          "init_module finit_module delete_module name_to_handle_at open_by_handle_at "
          "fanotify_init pidfd_getfd process_vm_readv process_vm_writev kcmp syslog reboot swapon "
          "acct settimeofday clock_settime sethostname setdomainname quotactl move_pages").split()
result = {"denied": {name: call(name, 0, 0, 0, 0, 0, 0) for name in denied}}
absent = ("io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_secret", 9999)
result["absent"] = {str(name): call(name, 0, 0, 0, 0, 0, 0) for name in absent}
result["personality"] = [call("personality", 0x0400000), call("personality", 0xffffffff)]
result["control"] = call("getpid") == os.getpid()
"""
    seen = look(short_path, program)
    assert seen["control"] is True
    assert set(seen["denied"].values()) == {EPERM}, seen
    assert set(seen["absent"].values()) == {ENOSYS}, seen
    assert seen["personality"] == [EPERM, 0]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("b8 27 00 00 00 0f 05 c3", 0),  # control: mov eax, 39 (getpid); syscall; ret
        ("b8 14 00 00 00 cd 80 c3", 128 + 31),  # mov eax, 20 (getpid of i386); int 0x80: SIGSYS
        ("b8 27 00 00 40 0f 05 c3", 128 + 31),  # the x32 bit
    ],
)
def test_a_call_by_another_abi_kills_the_caller(short_path: Path, code: str, status: int) -> None:
    """I6. On a machine without those ABIs only the control runs, in its own words."""
    program = f"""
if not X86:
    os._exit(0 if call("getpid") == os.getpid() and {status} == 0 else {status})
import mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("{code}"))
machine = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
os._exit(0 if machine() == os.getpid() else 1)
"""

    async def scenario() -> int:
        async with started(NamespacesBackend(short_path / "s"), small_spec(short_path)) as sandbox:
            return (await run(sandbox, python(PRELUDE + program))).status

    assert within(10, scenario()) == status


def test_the_agent_cannot_be_touched(short_path: Path) -> None:
    """I7: its memory, descriptors and exit codes are its own; host processes are invisible."""
    program = """
ATTACH, SEIZE, CONT = 16, 0x4206, 7
result = {"attach": call("ptrace", ATTACH, 1, 0, 0), "seize": call("ptrace", SEIZE, 1, 0, 0)}
handle = call("pidfd_open", 1, 0)
result["steal"] = call("pidfd_getfd", handle, 10, 0)
for name in ("mem", "fd", "environ", "maps", "root", "cwd", "syscall", "stack"):
    path = f"/proc/1/{name}"
    result[name] = attempt(os.listdir if name == "fd" else os.readlink if name in ("root", "cwd")
                           else lambda p: open(p, "rb").read(1), path)
result["socket"] = attempt(os.open, "/proc/1/fd/10", os.O_RDWR)
result["pids"] = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
child = os.fork()
if not child:
    signal.pause()
result["control"] = call("ptrace", ATTACH, child, 0, 0)
os.kill(child, 9)
"""
    seen = look(short_path, program)
    assert seen.pop("control") == 0
    pids = seen.pop("pids")
    assert pids[0] == 1
    assert max(pids) < 20
    assert seen.pop("attach") == seen.pop("seize") == seen.pop("steal") == EPERM
    assert set(seen.values()) <= {"EACCES", "EPERM"}, seen


def test_the_agents_limits_and_priorities_cannot_be_changed(short_path: Path) -> None:
    """I7, I13: its user is the workload's own, which is all that the kernel asks for these."""
    program = """
kept = ((ctypes.c_ulong * 2)(7, 7), ctypes.c_int(0), (ctypes.c_uint * 12)(48), ctypes.c_ulong(1))
LIMIT, PRIORITY, ATTRIBUTES, MASK = map(ctypes.addressof, kept)
FILES = 7
def change(pid):
    return {
        "affinity": call("sched_setaffinity", pid, 8, MASK),
        "attributes": call("sched_setattr", pid, ATTRIBUTES, 0),
        "parameters": call("sched_setparam", pid, PRIORITY),
        "input": call("ioprio_set", 1, pid, 3 << 13),
        "nice": call("setpriority", 0, pid, 0),
        "scheduler": call("sched_setscheduler", pid, 3, PRIORITY),
        "limit": call("prlimit64", pid, FILES, LIMIT, 0),
    }
result = {"agent": change(1), "control": [change(0), change(os.getpid())]}
"""

    async def scenario() -> dict[str, Any]:
        async with started(NamespacesBackend(short_path / "s"), small_spec(short_path)) as sandbox:
            seen: dict[str, Any] = await report(sandbox, program)
            assert (await run(sandbox, shell("exit 4"))).status == 4  # a later command works
            return seen

    seen = within(10, scenario())
    assert set(seen["agent"].values()) == {EPERM}, seen
    assert [set(each.values()) for each in seen["control"]] == [{0}, {0}], seen


def test_killing_everything_spares_the_agent(short_path: Path) -> None:
    """I7, I15."""

    async def scenario() -> None:
        async with started(NamespacesBackend(short_path / "s"), small_spec(short_path)) as sandbox:
            beside = await sandbox.execute(shell("sleep 20"))
            killer = await run(sandbox, shell("kill -9 1; kill -9 -1; echo spared"))
            assert killer.text == "spared\n"  # kill(2): the caller itself is not meant by -1
            assert (await beside.wait()).status == 128 + 9
            assert (await run(sandbox, shell("exit 4"))).status == 4

    within(10, scenario())


def test_set_uid_programs_and_devices_are_inert(short_path: Path) -> None:
    """I8."""
    program = """
os.mkfifo("fifo")
result = {
    "control": os.path.exists("fifo"),
    "block": attempt(os.mknod, "disk", 0o60666, os.makedev(254, 0)),
    "char": attempt(os.mknod, "mem", 0o20666, os.makedev(1, 1)),
    "whiteout": attempt(os.mknod, "white", 0o20666, 0),
    "nosuid": all("nosuid" in line.split()[5] for line in open("/proc/self/mountinfo")),
}
"""
    seen = look(short_path, program)
    assert seen.pop("control") is True
    assert seen.pop("nosuid") is True
    assert set(seen.values()) == {"EPERM"}


def test_nobody_types_into_a_terminal(short_path: Path) -> None:
    """I9."""
    program = """
import fcntl, struct, termios
def attempt(request, data):
    try:
        fcntl.ioctl(0, request, data)
    except OSError as error:
        return error.errno
    return 0
print([attempt(termios.TIOCGWINSZ, bytes(8)), attempt(termios.TIOCSTI, b"x"),
       attempt(0x541C, b"\\x03")])
"""
    command = Command(("/usr/bin/python3", "-ISc", program), ENVIRONMENT, "/workspace", tty=True)

    async def scenario() -> str:
        async with started(NamespacesBackend(short_path / "s"), small_spec(short_path)) as sandbox:
            return (await run(sandbox, command)).text.strip()

    assert within(10, scenario()) == "[0, 1, 1]"
