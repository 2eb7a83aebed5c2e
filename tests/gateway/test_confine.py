"""What a confined process cannot do, each beside proof that the very same could be done before."""

import platform
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import cleanroom
from cleanroom.gateway.confine import build_filter

PACKAGE = str(Path(cleanroom.__file__).parent.parent)
ATTEMPTS = {
    "start a program": "os.execv('/bin/true', ['true'])",
    "fork": "os.fork() or os._exit(0)",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "create a file": "open(folder + '/new', 'x')",
    "write a file": "open(folder + '/old', 'a')",
    "remove a file": "os.remove(folder + '/gone')",
    "rename a file": "os.rename(folder + '/a', folder + '/b')",
    "make a folder": "os.mkdir(folder + '/sub')",
    "read a file of the user": "open(folder + '/old').read()",
    "send a signal": "os.kill(os.getpid(), 0)",
    "make a namespace": "libc.unshare(0x10000000) and raise_errno()",
    "see itself as dumpable": "libc.prctl(3, 0, 0, 0, 0) == 1 or raise_errno(13)",
}
# These end or change the process even where they may, so nothing is proven before.
IRREVERSIBLE = {"start a program", "make a namespace"}
# What one that is alone cannot do either.
ATTEMPTS_ALONE = {
    "open a socket": "socket.socket()",
    "open two": "socket.socketpair()",
    "read a file that anybody may read": "open('/etc/passwd').read()",
}
PROGRAM = """
import ctypes, os, socket, sys, threading
sys.path.insert(0, {package!r})
from cleanroom.gateway.confine import confine
from cleanroom.gateway.resolver import ask_host
folder = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
def raise_errno(number=None):
    raise OSError(number or ctypes.get_errno(), "")
def attempt():
    try:
        {attempt}
    except OSError as error:
        return error.errno
    return 0
ask_host("localhost")
if sys.argv[2] == "alone":
    confine(*map(int, sys.argv[3:5]) if len(sys.argv) > 3 else (None, None), is_alone=True)
if sys.argv[2] == "confined":
    confine(*map(int, sys.argv[3:5])) if len(sys.argv) > 3 else confine(None, None)
    ask_host("localhost")
    socket.create_server(("127.0.0.1", 0)).close()
    threading.Thread(target=socket.socket().close).start()
print("did", attempt(), os.getresuid(), flush=True)
os._exit(0)
"""


def run(tmp_path: Path, attempt: str, *arguments: str) -> str:
    """Run one attempt in a process of its own."""
    for name in ("old", "gone", "a"):
        (tmp_path / name).write_text("x")
    program = textwrap.dedent(PROGRAM).format(package=PACKAGE, attempt=attempt)
    command = [sys.executable, "-c", program, str(tmp_path), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20)
    return done.stdout


@pytest.mark.parametrize("what", ATTEMPTS)
def test_a_confined_process_cannot(tmp_path: Path, what: str) -> None:
    if what not in IRREVERSIBLE:
        assert run(tmp_path, ATTEMPTS[what], "free").startswith("did 0 ")
        for name in ("new", "b"):
            (tmp_path / name).unlink(missing_ok=True)
        if (tmp_path / "sub").exists():
            (tmp_path / "sub").rmdir()
    refused = run(tmp_path, ATTEMPTS[what], "confined")
    assert refused.split()[1] in ("1", "13"), refused  # EPERM, EACCES


@pytest.mark.parametrize("what", ATTEMPTS | ATTEMPTS_ALONE)
def test_a_process_that_is_alone_cannot(tmp_path: Path, what: str) -> None:
    attempt = (ATTEMPTS | ATTEMPTS_ALONE)[what]
    if what in ATTEMPTS_ALONE:
        assert run(tmp_path, attempt, "confined").startswith("did 0 ")
    assert run(tmp_path, attempt, "alone").split()[1] in ("1", "13")


def test_root_becomes_whom_the_daemon_named(tmp_path: Path) -> None:
    me = run(tmp_path, "pass", "free")
    if "(0, 0, 0)" not in me:
        return  # the same step fails for anybody else, which `confine` must raise
    assert "(1879048191, 1879048191, 1879048191)" in run(
        tmp_path, "pass", "confined", "1879048191", "1879048191"
    )


@pytest.mark.parametrize("is_alone", [False, True])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_ends_in_allow_and_kills_foreign_machines(
    machine: str, *, is_alone: bool
) -> None:
    program = build_filter(machine, is_alone=is_alone)
    steps = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    assert steps[2] == (6, 0, 0, 0x80000000)
    assert steps[-1] == (6, 0, 0, 0x7FFF0000)
    for place, (code, if_true, if_false, _) in enumerate(steps):
        assert code == 6 or place + 1 + max(if_true, if_false) < len(steps)


def test_a_machine_without_a_table_is_refused() -> None:
    assert build_filter(platform.machine())
    with pytest.raises(OSError, match="no system call table"):
        build_filter("vax")
