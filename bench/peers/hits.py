"""The pages and the file of bench/registries.py once more, from the peers' caches, without TLS.

In: nothing. Out: a Figure to read beside ours. Never: a network beyond this machine: what they
cache is served by a thread here, as an npm registry and as a Python index.
"""

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin

from bench.cases import Figure
from bench.daemon import Daemon
from bench.peers.servers import Peer, devpi, nginx, verdaccio
from bench.registries import BALLS, CLIENT, MANY, MIB, ONE, Load

_BALL = os.urandom(20 * MIB)
_SHA1 = hashlib.sha1(_BALL, usedforsecurity=False).hexdigest()
_NPM_BALL = "/ball/-/ball-1.0.0.tgz"

# For a peer that closes each connection after its answer, as devpi does.
_CLOSING = """
import http.client, sys, time
from concurrent.futures import ThreadPoolExecutor
port, path, count, lines = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
def ask(_):
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
    connection.request("GET", path)
    assert connection.getresponse().read()
    connection.close()
began = time.perf_counter()
with ThreadPoolExecutor(lines) as pool:
    for _ in pool.map(ask, range(count)):
        pass
print(count / (time.perf_counter() - began))
"""


class _Origin(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        here = f"http://{self.headers['host']}"
        kind, body = "application/octet-stream", _BALL
        if self.path in ("/page", "/ball"):
            kind, body = "application/json", _packument(self.path[1:], here + _NPM_BALL)
        elif self.path in ("/simple/page/", "/simple/ball/"):
            kind, body = "text/html", _index(self.path.split("/")[2])
        elif self.path == "/simple/":
            kind, body = "text/html", b'<a href="page/">page</a>\n<a href="ball/">ball</a>\n'
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _packument(name: str, ball: str) -> bytes:
    version = {"name": name, "version": "1.0.0", "dist": {"shasum": _SHA1, "tarball": ball}}
    version["description"] = os.urandom(2200).hex()
    document = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    return json.dumps(document).encode()


def _index(name: str) -> bytes:
    digest = hashlib.sha256(_BALL).hexdigest()
    count = 1 if name == "ball" else 28  # links, for about 5 KB
    names = [f"{name}-1.{number}.0.tar.gz" for number in range(count)]
    names[0] = f"{name}-1.0.0.tar.gz"
    return "".join(f'<a href="/files/{n}#sha256={digest}">{n}</a>\n' for n in names).encode()


def peers_hits(daemon: Daemon) -> Figure:
    """Pages of 5 KB a second and MiB/s of a file of 20 MiB, by the same client."""
    del daemon
    values = {}
    with _origin() as origin, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        makers: dict[str, tuple[Callable[[], Peer | None], str, str]] = {
            "nginx": (lambda: nginx(folder / "n", origin), "page", _NPM_BALL[1:]),
            "verdaccio": (lambda: verdaccio(folder / "v", origin), "page", _NPM_BALL[1:]),
            "devpi": (lambda: devpi(folder / "d", f"{origin}simple/"), "page/", "ball/"),
        }
        for peer_name, (make, page, ball) in makers.items():
            values[peer_name] = _of(make(), page, ball)
    return Figure("the same from the peers, without TLS", "", values, None)


@contextlib.contextmanager
def _origin() -> Iterator[str]:
    origin = ThreadingHTTPServer(("127.0.0.1", 0), _Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{origin.server_port}/"
    finally:
        with contextlib.closing(origin.socket):
            origin.shutdown()


def _of(peer: Peer | None, page: str, ball: str) -> dict[str, float] | str:
    if peer is None:
        return "absent"
    try:
        where = urljoin(peer.address, ball)
        if ball.endswith("/"):  # a page that says where the file is
            where = urljoin(where, _first_link(where))
        for address in (urljoin(peer.address, page), where, where):  # fill its cache
            _read(address)
        return _measured(peer, urljoin(peer.address, page), where)
    except (OSError, subprocess.SubprocessError) as error:
        return f"absent: {error}"
    finally:
        peer.stop()


def _read(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 -- of this machine
        body: bytes = answer.read()
    return body


def _first_link(address: str) -> str:
    found = re.search(r'href="([^"#]+)', _read(address).decode())
    if found is None:
        message = f"{address} has no link"
        raise OSError(message)
    return found[1]


def _measured(peer: Peer, page: str, ball: str) -> dict[str, float]:
    pages, page_ms = _rate(peer, page, ONE)
    many, many_ms = _rate(peer, page, MANY)
    balls, ball_ms = _rate(peer, ball, BALLS)
    return {
        "5 KB pages, 1/s": round(pages),
        "CPU a page, ms": round(page_ms, 3),
        "over 16 connections, 1/s": round(many),
        "CPU a page then, ms": round(many_ms, 3),
        "20 MiB file, MiB/s": round(balls * 20),
        "CPU a MiB, ms": round(ball_ms / 20, 3),
    }


def _rate(peer: Peer, address: str, load: Load) -> tuple[float, float]:
    path = "/" + address.split("/", 3)[3]
    before = peer.cpu_s()
    client, load = (_CLOSING, _few(load)) if peer.name == "devpi" else (CLIENT, load)
    words = [sys.executable, "-I", "-c", client, str(peer.port), path, *map(str, load[1:])]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return float(said), (peer.cpu_s() - before) / load[1] * 1000


def _few(load: Load) -> Load:
    """Fewer of the slow ones."""
    return (load[0], min(load[1], 960), *load[2:])
