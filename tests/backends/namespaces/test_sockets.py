"""Sockets of the host below bound folders."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.backends.namespaces import NamespacesBackend, sockets
from cleanroom.backends.namespaces.sockets import cover_sockets
from cleanroom.errors import Code, Refused
from cleanroom.sandbox.spec import Bind, File
from tests.backends.machines import small_spec, started, within
from tests.escape.hostile import report


@pytest.fixture
def bound(short_path: Path) -> Iterator[Path]:
    """A folder with a file and a socket on which somebody listens."""
    folder = short_path / "bound"
    folder.mkdir()
    short_path.chmod(0o755)
    (folder / "file").write_text("text")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s"))
        listening.listen()
        (folder / "s").chmod(0o777)
        yield folder


def test_it_cannot_be_reached(bound: Path, short_path: Path, programs: Path) -> None:
    """I18. The control: the host itself can, and the folder is there."""
    assert programs.is_dir()
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(bound / "s"))
    program = """
result = [attempt(socket.socket(1).connect, "/b/s"), open("/b/file").read(),
          attempt(os.unlink, "/b/s")]
"""

    async def scenario() -> list[str]:
        backend = NamespacesBackend(short_path / "state")
        async with started(backend, small_spec(short_path, Bind(str(bound), "/b"))) as sandbox:
            seen: list[str] = await report(sandbox, program)
            return seen

    refused, text, unlinked = within(20, scenario())
    assert (refused, text) == ("ECONNREFUSED", "text")
    assert unlinked in ("EROFS", "EBUSY")


def test_what_is_no_socket_here_is_not_covered(bound: Path, short_path: Path) -> None:
    table = short_path / "table"
    names = (bound / "s", bound / "file", bound / "gone", "@abstract", "/elsewhere/s")
    table.write_text("Num\n" + "".join(f"0: 2 0 10000 1 1 7 {name}\n" for name in names))
    spec = small_spec(short_path, Bind(str(bound), "/b"))
    assert cover_sockets(spec, table).mounts == (*spec.mounts, File(b"", "/b/s"))
    assert cover_sockets(small_spec(short_path), table) == small_spec(short_path)
    table.unlink()
    assert cover_sockets(spec, table) == spec


def test_too_many_are_refused(
    bound: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "MAX_COVERS", 0)
    with pytest.raises(Refused, match="1 sockets of this host, of which one is /b/s") as caught:
        cover_sockets(small_spec(short_path, Bind(str(bound), "/b")))
    assert caught.value.code is Code.BACKEND_UNAVAILABLE
