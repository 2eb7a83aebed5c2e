"""The socket is private, and one daemon has it (C1, C8)."""

import asyncio
import errno
import os
import socket
from pathlib import Path

import pytest

from cleanroom.daemon import server
from cleanroom.daemon.server import Listener, Lock, socket_path, wait_for_last
from cleanroom.errors import Code, Fault, Refused, UsageError


def test_an_address_is_a_unix_socket_of_bounded_length() -> None:
    assert socket_path("unix:///run/x.sock") == Path("/run/x.sock")
    for wrong in ("/run/x.sock", "unix://x.sock", "tcp://127.0.0.1:1", "unix:///" + "a" * 120):
        with pytest.raises(UsageError):
            socket_path(wrong)


def test_the_socket_and_its_folder_are_private(short_path: Path) -> None:
    path = short_path / "new" / "d.sock"
    with Listener(path):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.exists()


def test_a_second_daemon_is_refused_and_the_first_goes_on(short_path: Path) -> None:
    path = short_path / "d.sock"
    with Listener(path) as first:
        with pytest.raises(Refused) as caught:
            Listener(path)
        assert caught.value.code is Code.CONFLICT
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        assert first.socket.fileno() >= 0


def test_a_socket_that_a_killed_daemon_left_is_replaced(short_path: Path) -> None:
    path = short_path / "d.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    with Listener(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_something_else_in_its_place_is_left_alone(short_path: Path, kind: str) -> None:
    path = short_path / "d.sock"
    target = short_path / "precious"
    target.write_text("x")
    if kind == "file":
        path.write_text("precious")
    elif kind == "link":
        path.symlink_to(target)
    else:
        path.mkdir()
    with pytest.raises(Fault):
        Listener(path)
    assert path.lstat()
    assert target.read_text() == "x"


def test_a_folder_that_is_not_there_and_cannot_be_made_is_a_clean_error(short_path: Path) -> None:
    (short_path / "file").write_text("")
    with pytest.raises(Fault):
        Listener(short_path / "file" / "d.sock")


def test_a_lock_goes_with_its_holder(short_path: Path) -> None:
    lock = Lock(short_path / "lock", "it")
    with pytest.raises(Refused):
        Lock(short_path / "lock", "it")
    lock.release()
    Lock(short_path / "lock", "it").release()


def test_a_lock_file_that_is_a_link_is_refused(short_path: Path) -> None:
    (short_path / "lock").symlink_to("elsewhere")
    with pytest.raises(Fault):
        Lock(short_path / "lock", "it")
    assert not (short_path / "elsewhere").exists()


def test_a_daemon_on_its_way_out_is_waited_for_and_another_one_is_not(short_path: Path) -> None:
    path = short_path / "lock"

    async def conversation() -> None:
        await wait_for_last(path)  # there was none
        last = Lock(path, "it")
        await wait_for_last(path)  # it stays: whoever wants to serve is refused
        last.say_ending()
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(wait_for_last(path))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            last.release()  # the file still says it, as after a kill
        Lock(path, "it").release()
        assert path.read_bytes() == b""

    asyncio.run(conversation())


def test_the_wait_for_one_that_does_not_end_has_an_end(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LOOKS", 2)
    last = Lock(short_path / "lock", "it")
    last.say_ending()
    asyncio.run(wait_for_last(short_path / "lock"))
    with pytest.raises(Refused):
        Lock(short_path / "lock", "it")
    last.release()


def test_a_full_disk_keeps_no_daemon_from_its_end(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    last = Lock(short_path / "lock", "it")
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        last.say_ending()
    last.release()
    assert (short_path / "lock").read_bytes() == b""


def test_the_umask_is_given_back(short_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with Listener(short_path / "d.sock"):
            assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
