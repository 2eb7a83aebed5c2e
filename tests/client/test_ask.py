"""Package managers say which registry they use; an index says where its files are."""

import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cleanroom.client.ask import (
    cargo_index,
    crate_sites,
    file_sites,
    go_proxies,
    npm_registry,
    pip_defaults,
    yarn_registry,
)
from cleanroom.client.init_facts import host_of

CRATES = {
    "/index/config.json": b'{"dl": "https://crates.example/{crate}/{version}.crate"}',
    "/corp/i/config.json": b'{"dl": "http://ADDRESS/corp/v1/{crate}"}',
    "/one/config.json": b'{"dl": "http://ADDRESS/one/crates"}',
    "/odd/config.json": b'{"dl": 1}',
    "/list/config.json": b"[]",
    "/text/config.json": b"no JSON",
}


class Index(BaseHTTPRequestHandler):
    """An index whose pages name files as PEP 503 has it."""

    def do_GET(self) -> None:
        """Answer with a page, a redirect, or an endless chain of them."""
        if self.path.startswith("/moved/"):
            self.send_response(301)
            self.send_header("Location", self.path.replace("/moved", "/simple", 1))
            self.end_headers()
            return
        if self.path.startswith("/circle/"):
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
            return
        if self.path in CRATES:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(CRATES[self.path].replace(b"ADDRESS", self.headers["host"].encode()))
            return
        page = (
            '<a href="https://files.example/a/x-1.whl#sha256=0">x</a>'
            '<a href="https://mirror.example:8443/x-1.tar.gz">x</a>'
            '<a href="../../files/x-2.whl">x</a><a href="https://home.example/">home</a>'
            if "/own/" not in self.path
            else '<a href="../../packages/a/x-2.whl">x</a>'
        )
        self.send_response(200 if self.path.startswith("/simple/") else 404)
        self.end_headers()
        if self.path.startswith("/simple/"):
            self.wfile.write(page.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def index() -> Iterator[str]:
    """The address of an index on this machine."""
    with HTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_index_names_the_hosts_of_its_files(index: str) -> None:
    own = index.removeprefix("http://")
    for folder in ("simple", "moved"):
        assert file_sites(f"{index}/{folder}/") == [own, "files.example", "mirror.example:8443"]


def test_files_below_the_path_of_an_index_are_at_its_site(index: str) -> None:
    own = f"{index.removeprefix('http://')}/simple/own"
    assert file_sites(f"{index}/simple/own/simple") == [own]


def test_an_index_that_does_not_answer_names_none(index: str) -> None:
    assert file_sites(f"{index}/absent") == []
    assert file_sites(f"{index}/circle") == []
    assert file_sites("http://127.0.0.1:1/simple") == []
    assert file_sites("nonsense") == []


def test_pip_knows_its_own_index() -> None:
    url, files = pip_defaults(os.environ)
    assert host_of(url)
    assert "." in files


def test_npm_says_what_it_uses(tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    npm.write_text('#!/bin/sh\n[ "$PWD" = / ] && echo "https://$HOME_REGISTRY/"\n')
    npm.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/bin", "HOME_REGISTRY": "npm.example"}
    assert npm_registry(environ) == "https://npm.example/"
    assert npm_registry({"PATH": "/nonexistent"}) == ""


def test_a_manager_that_fails_says_nothing(tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho https://wrong.example/; exit 1\n")
    npm.chmod(0o755)
    assert npm_registry({"PATH": str(tmp_path)}) == ""


def test_a_sparse_index_names_the_host_of_its_crates(index: str) -> None:
    assert crate_sites(f"{index}/index/") == ["crates.example"]
    own = index.removeprefix("http://")
    assert crate_sites(f"{index}/corp/i") == [f"{own}/corp/v1"]
    assert crate_sites(f"{index}/one") == [f"{own}/one"]
    for absent in ("odd", "list", "text", "absent"):
        assert crate_sites(f"{index}/{absent}") == []
    assert crate_sites("http://127.0.0.1:1/index") == []


def test_cargo_says_what_it_could_not_fetch(tmp_path: Path) -> None:
    cargo = tmp_path / "cargo"
    cargo.write_text(
        '#!/bin/sh\n[ "$PWD $CARGO_HTTP_PROXY" = "/ http://127.0.0.1:9" ] || exit 0\n'
        "echo 'failed to download from `https://index.example/a/config.json`' >&2; exit 101\n"
    )
    cargo.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/bin", "CARGO_HTTP_PROXY": "http://proxy.example"}
    assert cargo_index(environ) == "https://index.example/a"
    cargo.write_text("#!/bin/sh\necho nothing of use\n")
    assert cargo_index(environ) == ""
    assert cargo_index({"PATH": "/nonexistent"}) == ""


def test_go_says_what_it_uses(tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\necho "https://a.example|https://b.example/x,direct"\n')
    go.chmod(0o755)
    assert go_proxies({"PATH": f"{tmp_path}:/bin"}) == ["https://a.example/", "https://b.example/x"]
    assert go_proxies({"PATH": "/nonexistent"}) == []


@pytest.mark.skipif(shutil.which("cargo") is None, reason="this machine lacks cargo")
def test_the_real_cargo_says_its_index(tmp_path: Path) -> None:
    found = cargo_index({**os.environ, "CARGO_HOME": str(tmp_path)})
    assert "." in host_of(found)


@pytest.mark.skipif(shutil.which("go") is None, reason="this machine lacks go")
def test_the_real_go_says_its_proxies(tmp_path: Path) -> None:
    environ = {**os.environ, "GOENV": "off", "HOME": str(tmp_path)}
    environ.pop("GOPROXY", None)
    assert all("." in host_of(url) for url in go_proxies(environ))
    assert go_proxies({**environ, "GOPROXY": "https://a.example,off"}) == ["https://a.example/"]


@pytest.mark.parametrize("key", ["npmRegistryServer", "registry"])
def test_yarn_of_every_age_is_asked_without_the_network_or_another_yarn(
    tmp_path: Path, key: str
) -> None:
    yarn = tmp_path / "yarn"
    yarn.write_text(
        f'#!/bin/sh\n[ "$COREPACK_ENABLE_NETWORK$YARN_IGNORE_PATH$PWD" = "01/" ] || exit 1\n'
        f'[ "$3" = {key} ] && echo https://y.example || echo undefined\n'
    )
    yarn.chmod(0o755)
    assert yarn_registry({"PATH": str(tmp_path)}) == "https://y.example"
    yarn.unlink()
    assert yarn_registry({"PATH": str(tmp_path)}) == ""
