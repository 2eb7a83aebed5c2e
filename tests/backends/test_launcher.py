"""The launcher's message, and its program: what it refuses, and how it says so."""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from cleanroom.backends.base import DoorSockets
from cleanroom.backends.launcher import Launcher, LaunchError, Step, encode
from cleanroom.backends.process import memory_file
from tests.backends.machines import children, descriptors, within

NATIVE = Path(__file__).resolve().parents[2] / "native"

# Of ptrace(2) and waitpid(2).
PTRACE_DETACH, PTRACE_GETEVENTMSG, PTRACE_SEIZE = 17, 0x4201, 0x4206
TRACE_FORK, EVENT_FORK, WALL = 2, 1, 0x40000000


def ptrace(request: int, pid: int, data: int) -> None:
    """Trace a child of this thread."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.ptrace(request, pid, None, ctypes.c_void_p(data)) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def failed(programs: Path, *steps: Step, fds: Sequence[int] = ()) -> LaunchError:
    """Give the launcher these steps and return how it failed."""
    with pytest.raises(LaunchError) as caught:
        carried_out(programs, *steps, fds=fds)
    return caught.value


def carried_out(programs: Path, *steps: Step, fds: Sequence[int] = ()) -> int:
    """Give the launcher these steps; return its status when it succeeded."""

    async def scenario() -> int:
        with memory_file() as stderr:
            launcher = Launcher.start(
                str(programs / "cleanroom-launch"), steps, fds, stderr.fileno()
            )
            try:
                await launcher.executed()
            finally:
                launcher.close()
                status = await launcher.child.wait()
            return status

    return within(5, scenario())


def test_the_message_is_records_of_counted_words() -> None:
    steps = (Step("netns"), Step("take", ("a", "/p q", "rl")), Step("exec", ("/bin/x", "é\udcff")))
    assert encode(steps) == (
        b"netns\x000\x00take\x003\x00a\x00/p q\x00rl\x00exec\x002\x00/bin/x\x00\xc3\xa9\xff\x00"
    )


def test_a_word_with_a_nul_cannot_shift_what_follows() -> None:
    with pytest.raises(ValueError, match="NUL"):
        encode((Step("take", ("a\x00exec", "b", "c")),))


def test_what_is_executed_has_no_environment_and_only_the_passed_descriptors(
    programs: Path,
) -> None:
    look = (
        "import os, sys; seen = {int(name) for name in os.listdir('/proc/self/fd')}; "
        # 9 is the filter, 10 what was passed, 3 the look itself; python sets LC_CTYPE
        "sys.exit(5 if seen == {0, 1, 2, 3, 9, 10} and set(os.environ) <= {'LC_CTYPE'} else 6)"
    )
    with memory_file(b"passed") as file:
        step = Step("exec", ("/usr/bin/python3", "-ISc", look))
        assert carried_out(programs, step, fds=[file.fileno()]) == 5


@pytest.mark.parametrize(
    ("steps", "step", "text"),
    [
        ((Step("fly"),), "message", "fly"),
        ((Step("netns", ("x",)),), "netns", "wrong number"),
        ((Step("drop", ("-1", "0")),), "drop", "-1"),
        ((Step("drop", ("1x", "0")),), "drop", "1x"),
        ((Step("rlimit", ("love", "0")),), "rlimit", "love"),
        ((Step("cgroup", ("/nowhere",)),), "cgroup", "/nowhere/cgroup.procs: No such file"),
        ((Step("exec", ("/nowhere",)),), "exec", "/nowhere: No such file"),
        ((Step("rlimit", ("core", "0")),), "message", "no exec"),
        ((Step("take", ("a", "/nowhere", "")),), "mount", "/nowhere: No such file"),
        ((Step("place", ("b0", "/x")),), "mount", "b0: No such file"),
        ((Step("detach", ("/workspace",)),), "refresh", "a descriptor is missing"),
    ],
)
def test_a_step_that_fails_is_named(
    programs: Path, steps: tuple[Step, ...], step: str, text: str
) -> None:
    error = failed(programs, *steps)
    assert error.step == step
    assert text in error.text


@pytest.mark.parametrize(
    "message", [b"netns", b"netns\x00", b"netns\x001\x00", b"exec\x0099999\x00"]
)
def test_a_message_cut_short_is_refused(programs: Path, message: bytes) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        argv = [str(programs / "cleanroom-launch"), str(theirs.fileno())]
        ours.send(message)
        assert subprocess.run(argv, pass_fds=[theirs.fileno()], check=False).returncode == 1
        assert ours.recv(100).startswith(b"E\x00message\x00")


def test_a_linked_path_is_followed_only_where_it_is_allowed(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/usr")
    begin = (Step("userns", (str(os.geteuid()), str(os.getegid()))), Step("mountns"))
    take = ("a", str(tmp_path / "link"))
    error = failed(programs, *begin, Step("take", (*take, "r")))
    assert "Too many levels of symbolic links" in error.text
    assert carried_out(programs, *begin, Step("take", (*take, "rl")), Step("done")) == 0


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/host/file", "Invalid cross-device link"),
        ("/link/file", "Too many levels of symbolic links"),
        ("relative", "Invalid argument"),
        ("/", "Invalid argument"),
        ("/own/../../file", "Invalid cross-device link"),
    ],
)
def test_nothing_is_written_outside_the_root(
    programs: Path, tmp_path: Path, path: str, why: str
) -> None:
    """Not into a placed tree of the host, not through a link, not above it."""
    begin = [Step("userns", (str(os.geteuid()), str(os.getegid())))] if os.geteuid() else []
    steps = (
        *begin,
        Step("mountns"),
        Step("take", ("h", str(tmp_path), "p")),
        Step("stage"),
        Step("place", ("h", "/host")),
        Step("link", ("host", "/link")),
        Step("dir", ("/own",)),
    )
    with memory_file(b"x") as good, memory_file(b"y") as bad:
        fds = [good.fileno(), bad.fileno()]
        control = (*steps, Step("file", ("0", "/own/file", "0644")), Step("done"))
        assert carried_out(programs, *control, fds=fds) == 0
        error = failed(programs, *steps, Step("file", ("0", path, "0644")), fds=fds)
    assert error.step == "root"
    assert why in error.text
    assert list(tmp_path.iterdir()) == []


def test_what_is_copied_is_a_file_that_everybody_may_read(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "file").chmod(0o4755)
    (tmp_path / "own").write_text("private")
    (tmp_path / "own").chmod(0o640)
    os.mkfifo(tmp_path / "fifo", 0o644)
    user = Step("userns", (str(os.getuid()), str(os.getgid())))
    before = (*([user] if os.getuid() else []), Step("mountns"), Step("stage"))
    check = "test $(cat $1) = text && test $(stat -c %a $1) = 555 && exit 7"
    command = ("/bin/sh", "-c", check, "sh", "/run/cleanroom/root/etc/file")
    copy = Step("copy", (str(tmp_path / "file"), "/etc/file"))
    assert carried_out(programs, *before, copy, Step("exec", command)) == 7
    for name, why in (("own", "denied"), ("fifo", "denied"), ("gone", "No such")):
        error = failed(programs, *before, Step("copy", (str(tmp_path / name), "/etc/x")))
        assert error.step == "copy"
        assert why in error.text


def test_a_launcher_whose_daemon_is_gone_ends(programs: Path) -> None:
    async def scenario() -> int:
        with memory_file() as stderr:
            steps = (Step("wait"), Step("exec", ("/bin/true",)))
            launcher = Launcher.start(
                str(programs / "cleanroom-launch"), steps, (), stderr.fileno()
            )
            await launcher.prepared()
            launcher.close()
            return await launcher.child.wait()

    before = (children(), descriptors())
    assert within(5, scenario()) == 1
    assert (children(), descriptors()) == before


def test_a_launcher_that_was_killed_is_an_error_and_not_a_success(programs: Path) -> None:
    async def scenario() -> None:
        with memory_file() as stderr:
            steps = (Step("wait"), Step("exec", ("/bin/true",)))
            launcher = Launcher.start(
                str(programs / "cleanroom-launch"), steps, (), stderr.fileno()
            )
            await launcher.prepared()
            launcher.child.kill()
            await launcher.child.wait()
            with pytest.raises(LaunchError, match="the launcher ended"):
                await launcher.go()
            with pytest.raises(LaunchError, match="without an answer"):
                await launcher.door()
            launcher.close()

    within(5, scenario())


def test_a_launcher_that_is_killed_leaves_no_child_that_has_only_begun(programs: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        argv = [str(programs / "cleanroom-launch"), str(theirs.fileno())]
        launcher = subprocess.Popen(  # noqa: TID251 -- to be traced by this thread
            argv, pass_fds=[theirs.fileno()]
        )
        ptrace(PTRACE_SEIZE, launcher.pid, TRACE_FORK)
        ours.send(encode([Step("idmap", ("a", "1", "2", "1", "2"))]))
        assert os.waitpid(launcher.pid, WALL)[1] >> 8 == signal.SIGTRAP | EVENT_FORK << 8
        child = ctypes.c_long()
        ptrace(PTRACE_GETEVENTMSG, launcher.pid, ctypes.addressof(child))
        os.waitpid(child.value, WALL)  # it stands before its first instruction
        pidfd = os.pidfd_open(child.value)
        try:
            launcher.kill()
            launcher.wait()
            ptrace(PTRACE_DETACH, child.value, 0)
            assert select.select([pidfd], [], [], 30)[0], "it waits for ever"
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)


def test_the_filter_is_a_program_the_kernel_could_load(programs: Path) -> None:
    said = subprocess.run(
        [programs / "cleanroom-launch", "--seccomp"], check=True, capture_output=True
    ).stdout
    assert len(said) % 8 == 0
    assert 300 < len(said) // 8 <= 4096  # BPF_MAXINSNS


def test_every_call_of_the_table_is_named_once_and_with_a_reason() -> None:
    names: list[str] = []
    for line in (NATIVE / "syscalls.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        head, _, reason = line.partition(" -- ")
        action, *calls = head.split()
        assert action in ("allow", "deny")
        assert reason
        names += calls
    judged = {"socket", "socketpair", "clone", "ioctl", "personality", "ptrace"}
    assert len(names) == len(set(names))
    assert not judged & set(names)  # seccomp.c judges these by their arguments


def test_it_builds_for_the_other_architecture(tmp_path: Path) -> None:
    compiler = "aarch64-linux-gnu-gcc"
    if shutil.which(compiler) is None:
        pytest.skip(f"this machine lacks {compiler}")
    out = tmp_path / "out"
    subprocess.run(
        ["/usr/bin/make", "-s", "-C", NATIVE, f"CC={compiler}", f"OUT={out}", f"BUILD={out}/b"],
        check=True,
        capture_output=True,
    )
    assert (out / "cleanroom-launch").read_bytes()[18:20] == b"\xb7\x00"  # EM_AARCH64


def test_a_door_has_six_sockets(programs: Path) -> None:
    async def scenario() -> DoorSockets:
        with memory_file() as stderr:
            ids = (str(os.geteuid()), str(os.getegid()))
            begin = [Step("userns", ids)] if os.geteuid() else []
            steps = (*begin, Step("netns"), Step("door"), Step("wait"), Step("done"))
            launcher = Launcher.start(
                str(programs / "cleanroom-launch"), steps, (), stderr.fileno()
            )
            door = await launcher.door()
            await launcher.prepared()
            await launcher.go()
            launcher.close()
            await launcher.child.wait()
            return door

    before = descriptors()
    door = within(5, scenario())
    numbers = [getattr(door, name) for name in ("tcp4", "tcp6", "dns4", "dns6", "udp4", "udp6")]
    assert len(set(numbers)) == 6
    for number in numbers:
        assert os.get_inheritable(number) is False
        os.close(number)
    assert descriptors() == before
