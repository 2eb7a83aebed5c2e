"""A dev server inside, opened from outside; the host's side is the person's to choose."""

import http.client
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.escape.control import Served, somebody, until

pytestmark = pytest.mark.escape

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "node"
SERVER = """
const http = require('http'), fs = require('fs');
http.createServer((request, response) => {
  if (request.method === 'POST') return request.pipe(response);
  response.end(fs.readFileSync('package.json'));
}).listen(3000, '127.0.0.1', () => console.log('listening'));
"""


@pytest.fixture
def served(programs: Path) -> Iterator[Served]:
    """A daemon, and the Node example as the workspace."""
    assert programs.is_dir()
    with somebody() as one:
        shutil.copytree(EXAMPLE, one.person.work, dirs_exist_ok=True)
        (one.person.work / "server.cjs").write_text(SERVER)
        yield one


def answer(number: int, body: bytes = b"") -> bytes:
    """Ask the server; b"" while it does not answer yet."""
    connection = http.client.HTTPConnection("127.0.0.1", number, timeout=60)
    try:
        connection.request("POST" if body else "GET", "/", body or None)
        return connection.getresponse().read()
    except (http.client.HTTPException, ConnectionError):
        return b""
    finally:
        connection.close()


def test_a_dev_server_of_the_node_example_is_opened(served: Served) -> None:
    person = served.person
    started = person.types(
        "exec", "-d", "--sandbox", "dev", "--publish", "3000:0", "--", "node", "server.cjs"
    )
    assert started.returncode == 0, started.stderr
    listed = json.loads(person.types("port", "dev", "--json").stdout)["ports"]
    number = listed[0]["host_port"]
    assert f"port 3000 is at http://127.0.0.1:{number}" in started.stderr
    until(lambda: answer(number) == (EXAMPLE / "package.json").read_bytes(), 60, "it answers")
    large = bytes(range(256)) * 20_000
    assert answer(number, large) == large
    # What listens inside chose nothing here, and cannot: the same number is free for others.
    assert person.types("port", "dev", "4000:0").returncode == 0
    taken = person.types("port", "dev", f"5000:{number}")
    assert (taken.returncode, "something else does" in taken.stderr) == (1, True)
    assert person.types("stop", "dev").returncode == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", number), 60)
