"""Package managers say which registry they use; an index says where its files are."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cleanroom.client.ask import file_hosts, npm_registry, pip_defaults
from cleanroom.client.init_facts import host_of


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
        page = (
            '<a href="https://files.example/a/x-1.whl#sha256=0">x</a>'
            '<a href="https://mirror.example:8443/x-1.tar.gz">x</a>'
            '<a href="../../files/x-2.whl">x</a><a href="https://home.example/">home</a>'
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
        assert file_hosts(f"{index}/{folder}/") == [own, "files.example", "mirror.example:8443"]


def test_an_index_that_does_not_answer_names_none(index: str) -> None:
    assert file_hosts(f"{index}/absent") == []
    assert file_hosts(f"{index}/circle") == []
    assert file_hosts("http://127.0.0.1:1/simple") == []
    assert file_hosts("nonsense") == []


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
