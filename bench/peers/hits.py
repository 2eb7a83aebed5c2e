"""The pages and the file of bench/registries.py once more, from nginx's cache and without TLS.

In: nothing. Out: a Figure to read beside ours. Never: a network beyond this machine: what nginx
caches is served by a thread here.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.cases import Figure
from bench.daemon import Daemon
from bench.peers.servers import Peer, nginx
from bench.registries import BALLS, CLIENT, MANY, MIB, ONE, PAGE, Load

_BODIES = {PAGE: os.urandom(2500).hex().encode()}
_BALL = os.urandom(20 * MIB)


class _Origin(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = _BODIES.get(self.path, _BALL)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def nginx_hits(daemon: Daemon) -> Figure:
    """Pages of 5 KB a second and MiB/s of a file of 20 MiB, by the same client."""
    del daemon
    name = "the same from nginx, without TLS"
    with tempfile.TemporaryDirectory() as folder:
        origin = ThreadingHTTPServer(("127.0.0.1", 0), _Origin)
        threading.Thread(target=origin.serve_forever, daemon=True).start()
        peer = nginx(Path(folder) / "n", f"http://127.0.0.1:{origin.server_port}/")
        try:
            return Figure(name, "", _measured(peer) if peer else {"nginx": "absent"}, None)
        finally:
            if peer is not None:
                peer.stop()
            with contextlib.closing(origin.socket):
                origin.shutdown()


def _measured(peer: Peer) -> dict[str, float]:
    pages, page_ms = _rate(peer, ONE)
    many, many_ms = _rate(peer, MANY)
    balls, ball_ms = _rate(peer, BALLS)
    return {
        "5 KB pages, 1/s": round(pages),
        "CPU a page, ms": round(page_ms, 3),
        "over 16 connections, 1/s": round(many),
        "CPU a page then, ms": round(many_ms, 3),
        "20 MiB file, MiB/s": round(balls * 20),
        "CPU a MiB, ms": round(ball_ms / 20, 3),
    }


def _rate(peer: Peer, load: Load) -> tuple[float, float]:
    port = peer.address.rstrip("/").rpartition(":")[2]
    before = peer.cpu_s()
    words = [sys.executable, "-I", "-c", CLIENT, port, *map(str, load)]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return float(said), (peer.cpu_s() - before) / load[1] * 1000
