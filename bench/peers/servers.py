"""The peers: installed into a folder, started on a loopback port, ended.

In: a folder, the registries that this machine uses. Out: Peer, or None where one cannot be had.
Never: a peer that is not what its lock says; a process left behind.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.measure import children, cpu_s

HERE = Path(__file__).resolve().parent
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"

_VERDACCIO = """storage: {folder}/storage
uplinks: {{upstream: {{url: "{upstream}", maxage: 1d, timeout: 60s}}}}
packages: {{"**": {{access: $all, proxy: upstream}}}}
log: {{type: file, path: {folder}/log, level: fatal}}
"""
_NGINX = """daemon off; pid {folder}/pid; error_log {folder}/error.log crit; {user}
worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  proxy_cache_path {folder}/cache levels=1:2 keys_zone=kept:16m max_size=4g inactive=1d;
  server {{
    listen 127.0.0.1:{port}; {tls} keepalive_requests 1000000;
    location / {{
      proxy_pass {upstream}; proxy_ssl_server_name on; proxy_ssl_verify on;
      proxy_ssl_verify_depth 4; proxy_cache_lock on;
      proxy_ssl_trusted_certificate {certificates}; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_cache kept; proxy_cache_valid 200 1d;
      proxy_ignore_headers Cache-Control Expires Set-Cookie Vary;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Peer:
    """One that serves. `address` ends in a slash. `tls_port`: there it speaks TLS, 0: nowhere."""

    name: str
    address: str
    process: "subprocess.Popen[bytes]"
    tls_port: int = 0

    @property
    def port(self) -> int:
        """Where it is, without TLS."""
        return int(self.address.split(":")[2].split("/")[0])

    def cpu_s(self) -> float:
        """Return the processor time of it and its children so far."""
        return sum(map(cpu_s, children(self.process.pid)))

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


def npm_registry() -> str:
    """Return the registry that npm uses here, with a slash at its end."""
    asked = subprocess.run(
        ["npm", "config", "get", "registry"],  # noqa: S607
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return asked.stdout.strip().rstrip("/") + "/"


def verdaccio(folder: Path, upstream: str = "") -> Peer | None:
    """Install it by its lock, start it; before `upstream`, or the registry that npm uses here."""
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "verdaccio" / name, folder)
    words = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    cache = ["--cache", str(folder / "npm")]
    if not _done(["npm", "ci", *words, *cache], folder):
        return None
    port = _port()
    config = folder / "config.yaml"
    config.write_text(_VERDACCIO.format(folder=folder, upstream=upstream or npm_registry()))
    program = folder / "node_modules" / "verdaccio" / "bin" / "verdaccio"
    words = ["node", str(program), "-c", str(config), "-l", f"127.0.0.1:{port}"]
    return _start("verdaccio", words, f"http://127.0.0.1:{port}/")


def nginx(folder: Path, upstream: str, tls: tuple[Path, Path] | None = None) -> Peer | None:
    """Start the system's, or unpack the distribution's package; a cache before `upstream`.

    `tls`: a certificate and its key, to speak TLS on a second port too.
    """
    folder.mkdir()
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        if not _done(["apt-get", "-q", "download", "nginx"], folder):  # apt checks its signature
            return None
        [package] = folder.glob("nginx_*.deb")
        if not _done(["dpkg", "-x", str(package), str(folder)], folder):
            return None
        program = str(folder / "usr" / "sbin" / "nginx")
    port, tls_port, listen = _port(), 0, ""
    if tls is not None:
        tls_port = _port()
        listen = f"listen 127.0.0.1:{tls_port} ssl;"
        listen += f" ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};"
    config = folder / "nginx.conf"
    config.write_text(
        _NGINX.format(
            folder=folder, upstream=upstream, port=port, certificates=CERTIFICATES, tls=listen,
            user="user root;" if os.geteuid() == 0 else "",
        )
    )  # fmt: skip
    words = [program, "-c", str(config), "-e", str(folder / "error.log")]
    peer = _start("nginx", words, f"http://127.0.0.1:{port}/")
    return peer and replace(peer, tls_port=tls_port)


def certificate(folder: Path, host: str) -> tuple[Path, Path] | None:
    """Make a certificate for a name, and its key, as servers commonly have them."""
    made = folder / "cert.pem", folder / "key.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    files = ["-out", str(made[0]), "-keyout", str(made[1])]
    words = ["openssl", "req", "-x509", *curve, *names, "-days", "2", *files]
    return made if _done(words, folder) else None


def devpi(folder: Path, upstream: str = "") -> Peer | None:
    """Install it by its lock, start it with its mirror of PyPI, or of another index."""
    if not install(folder, "devpi.txt"):
        return None
    state, port = folder / "state", _port()
    programs = folder / "bin"
    if not _done([str(programs / "devpi-init"), "--serverdir", str(state)], folder):
        return None
    words = [str(programs / "devpi-server"), "--serverdir", str(state), "--port", str(port)]
    peer = _start("devpi", words, f"http://127.0.0.1:{port}/root/pypi/+simple/")
    if peer is not None and upstream:
        _mirror(f"http://127.0.0.1:{port}", upstream)
    return peer


def _mirror(server: str, upstream: str) -> None:
    """Have a fresh devpi mirror another index; its root has no password."""
    said = _send("POST", f"{server}/+login", {"user": "root", "password": ""}, "")
    token = f"root:{said['result']['password']}"
    auth = base64.b64encode(token.encode()).decode()
    _send("PATCH", f"{server}/root/pypi", [f"mirror_url={upstream}"], auth)


def _send(method: str, address: str, body: object, auth: str) -> dict[str, Any]:
    fields = {"content-type": "application/json", "accept": "application/json"}
    fields |= {"x-devpi-auth": auth} if auth else {}
    request = urllib.request.Request(  # noqa: S310 -- of this machine
        address, json.dumps(body).encode(), fields, method=method
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- as above
        document: dict[str, Any] = json.load(answer)
    return document


def install(folder: Path, lock: str) -> bool:
    """Make an environment of a lock with digests; tell whether that worked."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    words = ["-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(HERE / lock)]
    return _done([str(folder / "bin" / "python"), *words], folder)


def _done(words: list[str], folder: Path) -> bool:
    done = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        print(f"{words[0]} failed:", done.stderr.strip()[-300:], file=sys.stderr)
    return done.returncode == 0


def _start(name: str, words: list[str], address: str) -> Peer | None:
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peer = Peer(name, address, process)
    for _ in range(600):
        if process.poll() is not None:
            return None
        try:
            socket.create_connection(("127.0.0.1", peer.port), 1).close()
        except OSError:
            time.sleep(0.1)
            continue
        return peer
    peer.stop()
    return None


def _port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
