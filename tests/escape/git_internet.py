"""Git hosts at PUBLIC, over TLS: `git http-backend` answers of real repositories.

In: the sockets of egress_world, a folder of bare repositories. Out: `asked`, as in Script. Never: a
repository of another folder. What a test wrote into the script comes before git's answer.
"""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, ClassVar, Final

from tests.conftest import remove_tree
from tests.escape.egress_world import Arrival
from tests.escape.registry_internet import (
    PRIVATE,
    RegistryInternet,
    Reply,
    Request,
    Script,
    _choose,
)

_GIT: Final = shutil.which("git") or "git"
HALVES: Final = "/halves/"  # answers below it are cut in the middle, framed as if they were whole


class GitInternet(RegistryInternet):
    """Every host has every repository of `folder`."""

    folder = Path("/nowhere")
    private: ClassVar[dict[str, str]] = {}  # by repository: the Authorization that opens it
    # By repository: the pack that is sent instead of git's, or all of an answer.
    packs: ClassVar[dict[str, bytes]] = {}

    def _accept(self, listening: socket.socket) -> None:
        if listening.getsockname()[1] != 443:
            super()._accept(listening)
            return
        stream, _ = listening.accept()
        self.arrivals.append(Arrival(*stream.getsockname()[:2]))
        work = (stream, self.script, self.folder)
        threading.Thread(target=_serve, args=work, daemon=True).start()


@contextlib.contextmanager
def git_hosts() -> Iterator[Path]:
    """A folder of a test file: the hosts have what is in `bare` of it, and nothing is private."""
    folder = Path(tempfile.mkdtemp(prefix="cr-git", dir="/tmp"))
    GitInternet.folder = folder / "bare"
    GitInternet.folder.mkdir()
    try:
        yield folder
    finally:
        GitInternet.private.clear()
        GitInternet.packs.clear()
        remove_tree(folder)


def _serve(raw: socket.socket, script: Script, folder: Path) -> None:
    listening = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listening.sni_callback = _choose
    raw.settimeout(90)
    with contextlib.suppress(OSError), listening.wrap_socket(raw, server_side=True) as stream:
        file = stream.makefile("rb")
        while line := file.readline():
            method, target, _ = line.decode().split()
            fields = {}
            while (line := file.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode().strip().partition(": ")
                fields[name.lower()] = value
            body = _body(file, fields)
            lines = [f"{method} {target}", *(f"{name}: {value}" for name, value in fields.items())]
            said = "\r\n".join([*lines, "", body.decode("latin-1")])
            request = Request(fields["host"], method, target, said)
            scripted = (request.host, target) in script.replies
            reply = script.reply(request)
            wanted = GitInternet.private.get(target[1:].partition(".git")[0] + ".git", "")
            if wanted and fields.get("authorization") != wanted:
                scripted, reply = True, PRIVATE
            pack = GitInternet.packs.get(target[1:].removesuffix("/git-upload-pack"))
            if pack is not None and b"command=fetch" in body:
                scripted, reply = True, Reply(banded(pack) if pack.startswith(b"PACK") else pack)
            if scripted:
                for piece in reply.pieces(method):
                    stream.sendall(piece)
            else:
                stream.sendall(_git(request, fields, body, folder))
    raw.close()


def banded(pack: bytes) -> bytes:
    """Return a pack as version 2 answers a fetch."""
    parts = [pack[at : at + 60_000] for at in range(0, len(pack), 60_000)]
    return (
        b"000dpackfile\n"
        + b"".join(b"%04x\x01%b" % (len(each) + 5, each) for each in parts)
        + b"0000"
    )


def _body(file: IO[bytes], fields: dict[str, str]) -> bytes:
    if fields.get("transfer-encoding") != "chunked":
        return file.read(int(fields.get("content-length", "0")))
    pieces = []
    while size := int(file.readline(), 16):
        pieces.append(file.read(size))
        file.readline()
    file.readline()
    return b"".join(pieces)


def _git(request: Request, fields: dict[str, str], body: bytes, folder: Path) -> bytes:
    """Return what git's own CGI program answers."""
    path, _, query = request.path.partition("?")
    is_cut = path.startswith(HALVES) and request.method == "POST" and b"command=fetch" in body
    env = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_COUNT": "4",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "GIT_CONFIG_KEY_1": "uploadpack.allowFilter",
        "GIT_CONFIG_VALUE_1": "true",
        "GIT_CONFIG_KEY_3": "receive.advertisePushOptions",
        "GIT_CONFIG_VALUE_3": "true",
        "GIT_CONFIG_KEY_2": "http.receivepack",
        "GIT_CONFIG_VALUE_2": "true",
        "PATH_INFO": path.replace(HALVES, "/", 1),
        "QUERY_STRING": query,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": fields.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": fields.get("git-protocol", ""),
        "REMOTE_ADDR": "203.0.113.1",
    }
    done = subprocess.run(
        (_GIT, "http-backend"), input=body, env=env, capture_output=True, check=False
    )
    head, _, data = done.stdout.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    status = next((line[8:] for line in lines if line.startswith("Status: ")), "200 OK")
    data = data[: len(data) // 2] if is_cut else data
    kept = [line for line in lines if line.startswith("Content-Type")]
    top = [f"HTTP/1.1 {status}", *kept, f"Content-Length: {len(data)}", "", ""]
    return "\r\n".join(top).encode() + data
