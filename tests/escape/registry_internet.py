"""An Internet with registries in it that say whatever a test wants them to, over TLS.

In: the sockets of egress_world. Out: `asked`, every request that arrived, of whichever host.
Never: an answer that the test did not write; what it did not write is 404.
"""

import base64
import contextlib
import gzip
import hashlib
import io
import itertools
import json
import socket
import ssl
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tests.escape.egress_world import Arrival
from tests.escape.tls_internet import TlsInternet
from tests.gateway.certificates import authority, server

HOSTS: Final = (
    *("npm.test", "mirror.test", "index.test", "files.test"),
    *("private.test", "storage.test", "inner.test", "cloud.test", "evil.test"),
)
ROOTS: Final = authority(*HOSTS)


@dataclass(frozen=True)
class Reply:
    """One answer. `cut`: the connection is closed after so many bytes of the body.

    `only`: whoever sends another Authorization than these is told 401.
    """

    body: bytes = b""
    status: int = 200
    fields: tuple[str, ...] = ()
    kind: str = "application/octet-stream"
    cut: int | None = None
    raw: bytes = b""  # instead of everything else
    gate: threading.Event | None = None  # what the second half of the body waits for
    only: tuple[str, ...] = ()

    def pieces(self, method: str) -> Iterator[bytes]:
        """Yield what is sent, in order."""
        if self.raw:
            yield self.raw
            return
        head = [f"HTTP/1.1 {self.status} Reply", f"Content-Type: {self.kind}", *self.fields]
        head.append(f"Content-Length: {len(self.body)}")
        yield "\r\n".join([*head, "", ""]).encode()
        if method == "HEAD":
            return
        half = len(self.body) // 2
        yield self.body[: half if self.cut is None else self.cut]
        if self.cut is None:
            if self.gate is not None:
                self.gate.wait(60)
            yield self.body[half:]


NONE: Final = Reply(b"none", 404, kind="text/plain")
PRIVATE: Final = Reply(b"who are you?", 401, kind="text/plain")


@dataclass(frozen=True)
class Request:
    """One request that arrived inside TLS."""

    host: str
    method: str
    path: str
    head: str

    @property
    def authorization(self) -> str:
        """What it says in that field, "" without one."""
        lines = (line.partition(": ") for line in self.head.split("\r\n")[1:])
        return next((value for name, _, value in lines if name.lower() == "authorization"), "")


@dataclass
class Script:
    """What the registries answer, by host and path; the last of several replies stays."""

    replies: dict[tuple[str, str], list[Reply]] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def answers(self, place: str, *replies: Reply) -> None:
        """Answer so from now on at "host/path"."""
        host, _, path = place.partition("/")
        self.replies[host, f"/{path}"] = list(replies)

    def reply(self, request: Request) -> Reply:
        """Return the answer to a request that just came."""
        self.asked.append(request)
        found = self.replies.get((request.host, request.path), [NONE])
        reply = found.pop(0) if len(found) > 1 else found[0]
        return reply if not reply.only or request.authorization in reply.only else PRIVATE

    def count(self, place: str) -> int:
        """Return how often something was asked for."""
        host, _, path = place.partition("/")
        return sum((each.host, each.path) == (host, f"/{path}") for each in list(self.asked))


class RegistryInternet(TlsInternet):
    """Registries at PUBLIC, on port 443."""

    names = ("good.test", *HOSTS)
    script = Script()  # of all tests of a process: they run one after the other

    def forget(self) -> None:
        """Forget what arrived, the names, and the script."""
        super().forget()
        self.script.replies.clear()
        self.script.asked.clear()

    def _accept(self, listening: socket.socket) -> None:
        if listening.getsockname()[1] != 443:
            super()._accept(listening)
            return
        stream, _ = listening.accept()
        arrival = Arrival(*stream.getsockname()[:2])
        self.arrivals.append(arrival)
        work = (stream, arrival, self.script)
        threading.Thread(target=_serve, args=work, daemon=True).start()


def _choose(stream: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
    stream.context = server(name or "npm.test", *HOSTS)


def _serve(raw: socket.socket, arrival: Arrival, script: Script) -> None:
    listening = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listening.sni_callback = _choose
    raw.settimeout(90)
    with contextlib.suppress(OSError), listening.wrap_socket(raw, server_side=True) as stream:
        rest = b""
        while data := stream.recv(65536):
            arrival.received += data
            rest += data
            while b"\r\n\r\n" in rest:
                head, _, rest = rest.partition(b"\r\n\r\n")
                if not _answer(stream, head.decode("latin-1"), script):
                    return
    raw.close()


def _answer(stream: ssl.SSLSocket, head: str, script: Script) -> bool:
    """Answer one request; False: the connection ends."""
    method, path, _ = head.partition("\r\n")[0].split()
    fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
    reply = script.reply(Request(fields["host"], method, path, head))
    for piece in reply.pieces(method):
        stream.sendall(piece)
    return reply.cut is None and not reply.raw


# --- packages --------------------------------------------------------------------------------


def tarball(name: str, version: str, **more: str) -> bytes:
    """Return an npm package with an index.js."""
    manifest = json.dumps({"name": name, "version": version, "main": "index.js", **more})
    files = {"package/package.json": manifest, "package/index.js": f"module.exports='{name}'\n"}
    return tar(files)


def sdist(name: str, version: str) -> bytes:
    """Return a Python source distribution without a build."""
    return tar({f"{name}-{version}/PKG-INFO": f"Name: {name}\nVersion: {version}\n"})


def wheel(name: str, version: str) -> bytes:
    """Return a wheel with one module."""
    import zipfile  # noqa: PLC0415 -- only two tests need it

    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"NAME = '{name}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return made.getvalue()


def tar(files: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(made.getvalue(), mtime=0)


def integrity(data: bytes) -> str:
    """Return what a package-lock.json says of it."""
    return f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"


def sha256(data: bytes) -> str:
    """Return the digest in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def package_lock(packages: dict[str, dict[str, Any]], root: dict[str, Any] | None = None) -> str:
    """Return a package-lock.json of version 3 with these packages below node_modules."""
    entries = {f"node_modules/{name}": entry for name, entry in packages.items()}
    document = {"name": "work", "lockfileVersion": 3, "packages": {"": root or {}, **entries}}
    return json.dumps(document, indent=1)


def packument(name: str, versions: dict[str, bytes], host: str = "npm.test") -> bytes:
    """Return the registry's page of a package."""
    base = name.rpartition("/")[2]
    listed = {
        version: {
            "name": name,
            "version": version,
            "dist": {
                "tarball": f"https://{host}/{name}/-/{base}-{version}.tgz",
                "integrity": integrity(data),
            },
        }
        for version, data in versions.items()
    }
    latest = list(versions)[-1]
    return json.dumps({"name": name, "dist-tags": {"latest": latest}, "versions": listed}).encode()


@dataclass(frozen=True)
class Package:
    """A package of npm that no other test has: the cache keeps what was fetched before."""

    name: str
    version: str = "1.3.0"
    host: str = "npm.test"

    @property
    def data(self) -> bytes:
        """Its tarball."""
        return tarball(self.name, self.version)

    @property
    def tampered(self) -> bytes:
        """Something else of the same size."""
        data = self.data
        return data[:-1] + bytes([data[-1] ^ 1])

    @property
    def file(self) -> str:
        """Its path at the registry."""
        return f"/{self.name}/-/{self.name}-{self.version}.tgz"

    @property
    def place(self) -> str:
        """Its host and path."""
        return f"{self.host}{self.file}"

    @property
    def entry(self) -> dict[str, Any]:
        """What a lock file says of it."""
        return {
            "version": self.version,
            "resolved": f"https://{self.place}",
            "integrity": integrity(self.data),
        }

    @property
    def lock(self) -> str:
        """A lock file that has it alone."""
        return package_lock({self.name: self.entry})

    @property
    def page(self) -> Reply:
        """The registry's page of it."""
        body = packument(self.name, {self.version: self.data}, self.host)
        return Reply(body, kind="application/json")

    @property
    def good(self) -> list[Any]:
        """What `fetch` returns of it."""
        return [200, "OK", sha256(self.data), len(self.data)]


@dataclass(frozen=True)
class Project:
    """A Python project of one version, with a wheel and a source distribution; see Package."""

    module: str

    @property
    def name(self) -> str:
        """Its name as an index writes it."""
        return self.module.replace("_", "-")

    @property
    def wheel(self) -> bytes:
        """Its wheel."""
        return wheel(self.module, "1.0")

    @property
    def sdist(self) -> bytes:
        """Its source distribution."""
        return sdist(self.name, "1.0")

    @property
    def file(self) -> str:
        """The path of its wheel at the file host."""
        return f"/packages/aa/{self.module}-1.0-py3-none-any.whl"

    @property
    def lock(self) -> str:
        """A requirements.txt that has it alone."""
        digests = (sha256(self.wheel), sha256(self.sdist))
        return f"{self.name}==1.0 {' '.join(f'--hash=sha256:{each}' for each in digests)}\n"

    @property
    def page(self) -> Reply:
        """The index's page of it."""
        file = self.file.rpartition("/")[2]
        link = f'<a href="https://files.test{self.file}#sha256={sha256(self.wheel)}">{file}</a>'
        return Reply(link.encode(), kind="text/html")


_COUNT: Final = itertools.count(1)


def unique(word: str) -> str:
    """Return a name that nobody else has."""
    return f"{word}{next(_COUNT)}"


Fetched = list[Any]  # status, reason, digest and length of the body; see FETCH

RUN: Final = """
import subprocess
def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=100)
    return [done.returncode, done.stdout + done.stderr]
"""
FETCH: Final = """
import hashlib, http.client, ssl

CONTEXT = ssl.create_default_context()


def fetch(host, path, method="GET", body=None, **fields):
    line = http.client.HTTPSConnection(host, timeout=60, context=CONTEXT)
    try:
        line.putrequest(method, path, skip_accept_encoding=True)
        for name, value in fields.items():
            line.putheader(name.replace("_", "-"), value)
        line.endheaders(body)
        answer = line.getresponse()
        data = answer.read()
        return [answer.status, answer.reason, hashlib.sha256(data).hexdigest(), len(data)]
    except (OSError, http.client.HTTPException) as error:
        return [0, type(error).__name__, "", 0]
    finally:
        line.close()
"""


def gate_of(script: Script, place: str, body: bytes) -> Callable[[], None]:
    """Answer `place` by half of the body; return what lets the rest go."""
    gate = threading.Event()
    script.answers(place, Reply(body, gate=gate))
    return gate.set
