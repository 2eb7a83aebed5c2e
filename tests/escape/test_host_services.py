"""A service of the host's loopback, shown under a name: that one, and nothing beside it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.people import Person

pytestmark = pytest.mark.escape

ALLOWS = """version: 1
sandbox:
  network:
    default: deny
    allow:
      - host: models.internal
        ports: [11434, 80]
      - host: other.internal
        ports: [11434]
"""


class Model(BaseHTTPRequestHandler):
    """A server that says which host it was asked as."""

    def do_GET(self) -> None:
        """Answer."""
        text = f"model of {self.headers['Host']}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server on this host's loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(60)


@pytest.fixture
def person(home: Home, programs: Path, port: int) -> Iterator[Person]:
    """Somebody whose operator shows the server as models.internal:11434."""
    assert programs.is_dir()
    someone = Person(home)
    someone.policy(ALLOWS)
    folder = home.config / "cleanroom"
    folder.mkdir(mode=0o700, exist_ok=True)
    services = f"  host_services:\n    models.internal:11434: 127.0.0.1:{port}\n"
    (folder / "config.yaml").write_text(f"gateway:\n{services}")
    with someone.serving():
        yield someone


def asks(person: Person, url: str) -> tuple[int, str]:
    script = f"import urllib.request as r; print(r.urlopen('{url}', timeout=20).read().decode())"
    done = person.types("exec", "--", "python3", "-c", script)
    return done.returncode, done.stdout.strip()


def test_a_service_is_reached_by_its_name_and_is_in_the_audit(person: Person) -> None:
    url = "http://models.internal:11434/"
    assert asks(person, url) == (0, "model of models.internal:11434")
    audit = person.types("audit").stdout
    assert "models.internal" in audit
    assert person.last_run()["denied"] == []


def test_nothing_beside_it_is_reached(person: Person, port: int) -> None:
    for url in (
        f"http://127.0.0.1:{port}/",
        "http://models.internal/",
        "http://other.internal:11434/",
        f"http://models.internal:{port}/",
    ):
        status, out = asks(person, url)
        assert (status != 0, out) == (True, "")


def test_a_policy_must_allow_it(person: Person) -> None:
    person.policy("version: 1\nsandbox:\n  network:\n    default: deny\n")
    assert asks(person, "http://models.internal:11434/") == (1, "")
    denied = person.last_run()["denied"]
    assert [each["code"] for each in denied] == ["host_not_allowed"]
