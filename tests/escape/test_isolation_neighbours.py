"""Hostile programs against other sandboxes, the host's endpoints and the sandbox's own limits:
promises I10, I13, I15 to I18, E29, E30.
"""

import dataclasses
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.backends.base import Command
from cleanroom.backends.namespaces import NamespacesBackend
from cleanroom.errors import Code, Refused
from cleanroom.policy.demands import Capability, Limits
from cleanroom.sandbox.spec import Overlay
from tests.backends.machines import (
    ENVIRONMENT,
    KeptDoor,
    run,
    shell,
    small_spec,
    started,
    within,
)
from tests.escape.hostile import look, report

pytestmark = [pytest.mark.escape, pytest.mark.usefixtures("programs")]


@pytest.fixture
def listener(short_path: Path) -> Iterator[Path]:
    """A folder of the host with a listening socket, a FIFO and a file that all may use."""
    folder = short_path / "repo"
    folder.mkdir()
    folder.chmod(0o777)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "socket"))
    server.listen()
    (folder / "socket").chmod(0o777)
    os.mkfifo(folder / "fifo")
    (folder / "fifo").chmod(0o777)
    reader = os.open(folder / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    with server:
        yield folder
    os.close(reader)


def test_neighbours_share_nothing(short_path: Path) -> None:
    """I10: shared memory, System V and POSIX IPC, abstract sockets, temporary files."""
    leave = """
SHMGET, MSGGET = (29, 68) if X86 else (194, 186)
open("/dev/shm/mark", "w").close(); open("/tmp/mark", "w").close()
if os.fork() == 0:
    server = socket.socket(socket.AF_UNIX); server.bind("\\0mark"); server.listen()
    os.close(1); os.close(2)
    signal.pause()
result = [call(SHMGET, 77, 4096, 0o1666) >= 0, call(MSGGET, 77, 0o1666) >= 0]
"""
    find = """
SHMGET, MSGGET = (29, 68) if X86 else (194, 186)
result = {"shm": os.path.exists("/dev/shm/mark"), "tmp": os.path.exists("/tmp/mark"),
  "sysv": call(SHMGET, 77, 0, 0) >= 0, "queue": call(MSGGET, 77, 0) >= 0,
  "abstract": attempt(socket.socket(socket.AF_UNIX).connect, "\\0mark") == "done"}
"""

    async def scenario() -> tuple[dict[str, bool], dict[str, bool]]:
        backend = NamespacesBackend(short_path / "state")
        one, other = short_path / "one", short_path / "other"
        second = dataclasses.replace(small_spec(other), sandbox_id="sbx_other")
        async with (
            started(backend, small_spec(one)) as mine,
            started(backend, second) as neighbour,
        ):
            assert await report(mine, leave) == [True, True]
            return await report(mine, find), await report(neighbour, find)

    own, others = within(20, scenario())
    assert set(own.values()) == {True}  # the control: in the same sandbox all of it is there
    assert set(others.values()) == {False}


def test_sockets_of_the_host_are_out_of_reach(short_path: Path, listener: Path) -> None:
    """I18, E30: in the workspace (an overlay), in a read-only overlay, and abstract ones."""
    path = str(listener / "socket")
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(path)
    folder_view = Overlay(("/tools",), (str(listener),), None, None, os.geteuid(), os.getegid())
    program = """
def connect(path):
    return attempt(socket.socket(socket.AF_UNIX).connect, path)
result = {"workspace": connect("/workspace/socket"), "tools": connect("/tools/socket"),
  "fifo": attempt(os.open, "/workspace/fifo", os.O_WRONLY | os.O_NONBLOCK),
  "tools fifo": attempt(os.open, "/tools/fifo", os.O_WRONLY | os.O_NONBLOCK),
  "abstract": connect(ABSTRACT), "control": open("/tools/file").read(),
  "run": os.path.exists("/run")}
"""
    abstract = f"\0cleanroom-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as host:
        host.bind(abstract)
        host.listen()

        async def scenario() -> dict[str, object]:
            spec = small_spec(short_path, folder_view)
            async with started(NamespacesBackend(short_path / "state"), spec) as sandbox:
                seen = await report(sandbox, f"ABSTRACT = {abstract!r}\n{program}")
                assert isinstance(seen, dict)
                return seen

        seen = within(20, scenario())
    assert seen.pop("control") == "from the host\n"
    assert seen.pop("run") is False
    assert seen == {
        "workspace": "ECONNREFUSED",
        "tools": "ECONNREFUSED",
        "fifo": "ENXIO",  # nobody reads it: the host's reader is not behind it
        "tools fifo": "ENXIO",
        "abstract": "ECONNREFUSED",
    }


def test_a_command_has_three_descriptors(short_path: Path) -> None:
    """I18. The fourth is the listing itself."""
    said = look(short_path, 'result = sorted(map(int, os.listdir("/proc/self/fd")))')
    assert said == [0, 1, 2, 3]


def test_only_ordinary_socket_families_exist(short_path: Path) -> None:
    """E29: the rest reaches past the network namespace, or is a large surface for nothing."""
    program = """
def make(family, kind=socket.SOCK_DGRAM, protocol=0):
    return attempt(lambda: socket.socket(family, kind, protocol).close())
odd = {"packet": 17, "vsock": 40, "alg": 38, "xdp": 44, "can": 29, "bluetooth": 31, "tipc": 30,
       "rds": 21, "kcm": 41, "qipcrtr": 42, "key": 15}
result = {"odd": {name: make(family) for name, family in odd.items()}}
result["raw"] = [make(2, 3, 1), make(2, 3, 255), make(10, 3, 58), make(2, 2, 1)]
result["protocols"] = [make(2, 1, 132), make(2, 1, 262), make(2, 6, 33)]
result["types"] = [make(2, 5), make(10, 5), make(2, 6), make(10, 6), make(2, 3), make(2, 4)]
result["netlink"] = [make(16, 3, protocol) for protocol in (4, 6, 9, 12, 15, 16)]
result["pair"] = attempt(lambda: socket.socketpair(30))
result["control"] = [make(1), make(1, 1), make(2), make(2, 1), make(10), make(10, 1),
                     make(2, 1, 6), make(2, 2, 17), make(16, 3, 0)]
"""
    seen = look(short_path, program)
    assert set(seen["control"]) == {"done"}
    assert set(seen["odd"].values()) == {"EAFNOSUPPORT"}
    assert set(seen["raw"]) == set(seen["protocols"]) == {"EPROTONOSUPPORT"}
    # SCTP and DCCP by their types; a kernel without them would say ESOCKTNOSUPPORT
    assert set(seen["types"]) == set(seen["netlink"]) == {"EPROTONOSUPPORT"}
    assert seen["pair"] == "EAFNOSUPPORT"


def test_the_network_cannot_be_rearranged(short_path: Path) -> None:
    """Decision 1: the namespace is a parent's. Reading it, as getaddrinfo does, is the control."""
    program = """
import struct
def ask(kind, flags, body):
    with socket.socket(16, 3, 0) as s:
        s.bind((0, 0))
        s.send(struct.pack("=IHHII", 16 + len(body), kind, 1 | flags, 1, 0) + body)
        answer = s.recv(65536)
    kind, = struct.unpack_from("=H", answer, 4)
    return -struct.unpack_from("=i", answer, 16)[0] if kind == 2 else kind
LINK = struct.pack("=BxHiII", 0, 0, 1, 0, 1)
ROUTE = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 255, 3, 254, 2, 0)
result = {"down": ask(16, 4, LINK), "route": ask(25, 4, ROUTE), "new": ask(24, 0x404, ROUTE),
          "control": ask(18, 0x300, LINK),
          "transparent": attempt(socket.socket().setsockopt, 0, 19, 1),
          "mark": attempt(socket.socket().setsockopt, 1, 36, 1)}
"""
    seen = look(short_path, program)
    assert seen.pop("control") == 16  # RTM_NEWLINK: the device was listed
    assert seen.pop("transparent") == seen.pop("mark") == "EPERM"
    assert set(seen.values()) == {1}  # EPERM


def test_memory_is_limited_or_the_limit_is_refused(short_path: Path) -> None:
    """I13: never accepted and ignored. /dev/shm counts too."""
    spec = dataclasses.replace(
        small_spec(short_path),
        limits=Limits(memory_bytes=64 << 20),
        needs=frozenset({Capability.LIMIT_MEMORY}),
    )
    program = "b = bytearray(200 << 20); print(len(b))"
    fill = "for d in /dev/shm /tmp ~; do head -c 200000000 /dev/zero > $d/fill; done 2>&1"

    async def scenario() -> None:
        backend = NamespacesBackend(short_path / "state")
        if Capability.LIMIT_MEMORY not in (await backend.probe()).capabilities:
            with pytest.raises(Refused, match="limit_memory") as caught:
                await backend.start(spec, KeptDoor())
            assert caught.value.code is Code.BACKEND_CAPABILITY_MISMATCH
            return
        async with started(backend, spec) as sandbox:
            assert sandbox.limited["memory"].startswith("cgroup")
            eater = Command(("/usr/bin/python3", "-ISc", program), ENVIRONMENT, "/workspace")
            assert (await run(sandbox, eater)).status == 128 + 9
            assert "No space left" in (await run(sandbox, shell(fill))).text
            assert (await run(sandbox, shell("echo fine"))).text == "fine\n"

    within(30, scenario())


def test_folders_in_memory_have_a_size(short_path: Path) -> None:
    """I13: and the root, /dev and /etc are not writable at all."""
    program = """
def fill(path):
    try:
        with open(path, "wb", buffering=0) as file:
            while file.write(bytes(1 << 20)):
                if file.tell() > 600 << 20:
                    return "endless"
    except OSError as error:
        return errno.errorcode[error.errno]
result = {path: fill(path) for path in ("/tmp/f", "/home/cleanroom/f", "/dev/f", "/f", "/etc/f",
          "/.cleanroom/f", "/usr/f", "/dev/pts/f")}
small = open("/home/cleanroom/g", "w") if not os.unlink("/home/cleanroom/f") else None
result["control"] = small.write("fits")
"""
    seen = look(short_path, program)
    assert seen.pop("control") == 4
    assert seen.pop("/tmp/f") == seen.pop("/home/cleanroom/f") == "ENOSPC"  # noqa: S108
    assert set(seen.values()) <= {"EROFS", "EACCES", "EPERM"}, seen


def test_orphans_are_reaped_and_a_stopped_process_ends_with_its_sandbox(short_path: Path) -> None:
    """I15."""
    program = """
import time
for _ in range(100):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
for _ in range(100):
    os.wait()
def zombies():
    states = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            states.append(open(f"/proc/{name}/stat").read().rpartition(")")[2].split()[0])
        except FileNotFoundError:
            pass
    return states.count("Z")
deadline = time.monotonic() + 5
while zombies() and time.monotonic() < deadline:
    os.sched_yield()
if os.fork() == 0:
    os.close(1); os.close(2)
    os.setsid()
    os.kill(os.getpid(), signal.SIGSTOP)
result = zombies()
"""
    assert look(short_path, program) == 0  # and `look` returned: the stopped one did not hold it up


def test_the_name_of_the_host_is_not_told(short_path: Path) -> None:
    """I16. Clock and names are refused in the table of test_isolation.py."""
    seen = look(
        short_path, "result = [socket.gethostname(), open('/proc/sys/kernel/hostname').read()]"
    )
    assert seen == ["cleanroom", "cleanroom\n"]


def test_hostile_words_are_data(short_path: Path) -> None:
    """I17: an argv like options, an environment like the loader's."""
    words = ("--bind", "/", "/", "--", "a\nb", "$(id)", "\udcff", "")
    spell = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ.get('LD_PRELOAD')]))"
    environment = (*ENVIRONMENT, ("LD_PRELOAD", "/workspace/evil.so"), ("PYTHONPATH", "/workspace"))
    command = Command(("/usr/bin/python3", "-ISc", spell, *words), environment, "/workspace")

    async def scenario() -> str:
        backend = NamespacesBackend(short_path / "state")
        async with started(backend, small_spec(short_path)) as sandbox:
            text = (await run(sandbox, command)).text
            assert (await run(sandbox, shell("echo fine"))).text == "fine\n"
            return text

    text = within(10, scenario())
    assert json.loads(text.splitlines()[-1]) == [list(words), "/workspace/evil.so"]
