"""What a run with a secret leaves: the value is in the gateway and its provider, and nowhere else.

S6 and S7 from outside: files of state, cache and logs, the environment and command line of every
process, the memory of the daemon, answers of the API, the terminal. The search finds what the test
plants in each of these places.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cleanroom.client.blocking import Connection
from cleanroom.client.calls import BY_NAME, Call
from cleanroom.errors import CleanroomError
from tests.escape.egress_world import Process, World, eventually, policy
from tests.escape.tls_internet import ROOTS, TlsInternet
from tests.escape.traces import Searched, in_memory
from tests.escape.worlds import new_world

pytestmark = pytest.mark.escape

VALUE = b"ghp_" + os.urandom(18).hex().encode()  # no other run of the tests has it
POLICY = policy("good.test:80,443") + (
    "secrets:\n  - {id: forge, env: TOKEN, allowed_hosts: [good.test]}\n"
    "  - {id: lacking, env: LACKING, allowed_hosts: [good.test], required: false}\n"
)
# It uses the secret, sends it where it may not go, writes it to files, and stays.
PROGRAM = """
import os, subprocess
token = os.environ["TOKEN"]
header = "Authorization: Bearer " + token
def curl(url):
    words = ["curl", "-sS", "-m", "60", "-H", header, url]
    return subprocess.run(words, capture_output=True, text=True).stdout
result = [token, "LACKING" in os.environ, curl("https://good.test/x"), curl("http://good.test/y")]
with open("written.txt", "w") as file:
    file.write(repr(dict(os.environ)) + header)
await_word()
"""


@contextmanager
def holding(*words: str, **environment: str) -> Iterator[Process]:
    """Have a process that waits, with these words and variables."""
    program = [sys.executable, "-c", "print('up', flush=True); input()", *words]
    with Process(
        program, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process
        process.communicate(b"\n")


@pytest.fixture
def world(programs: Path, tmp_path: Path) -> Iterator[World]:
    """A daemon whose operator has the value in a file beside everything else."""
    assert programs.is_dir()
    file = tmp_path / "value"
    file.write_bytes(VALUE + b"\n")
    secrets = f"secrets:\n  forge: {{file: {file}, hosts: [good.test]}}\n"
    with new_world(secrets, TlsInternet, ROOTS.certificate) as made:
        yield made


def arrived(world: World) -> int:
    """Return how often the value reached its host: the control of the search."""
    return sum(bytes(arrival.received).count(VALUE) for arrival in world.reached())


def answers(world: World) -> bytes:
    """Return what every endpoint that only reads says."""
    path = str(world.home.runtime / "d.sock")
    with Connection.open(path) as connection:
        run = connection.call(Call("get_run", {"run_id": "last"}))
    values = {
        "run_id": run.text("id"),
        "sandbox_id": run.text("sandbox_id"),
        "execution_id": run.text("execution_id"),
    }
    said = b""
    for name, endpoint in BY_NAME.items():
        if endpoint.method == "GET" and endpoint.stream in ("", "ndjson", "text"):
            with Connection.open(path) as connection, suppress(CleanroomError):
                said += connection.read(Call(name, values))
    assert b"sandbox.secret" in said
    return said


def test_nothing_holds_the_value_while_a_run_goes_on_nor_after_it(world: World) -> None:
    folder = world.home.home.parent
    search = Searched(world, VALUE, folder / "value")
    running = world.start(POLICY, PROGRAM, "--keep", "-v")
    running.await_ready()
    assert eventually(lambda: arrived(world) == 1, 60)
    assert search.found() == []
    said = world.finish(running, b"\n")
    holder, lacking, *_ = said.result
    assert not lacking
    assert "it runs without" in said.stderr
    assert [event["code"] for event in said.denials()] == ["secret_scope_violation"]
    told = said.stderr.encode() + json.dumps(said.result).encode() + answers(world)
    for words in (
        *(("secrets", "list"), ("secrets", "check"), ("status",), ("status", "--json")),
        *(("audit",), ("config", "show"), ("sandboxes", "list", "--json"), ("diff",)),
    ):
        with world.command(*words, *folder_of(world, words)) as process:
            out, err = process.communicate(timeout=60)
            told += out + err
    assert b"forge" in told
    assert VALUE not in told
    assert search.found() == []
    assert arrived(world) == 1
    assert search.found(holder.encode())  # what stands for it is in the files that were written


def test_a_secret_is_tried_by_one_request(world: World) -> None:
    folder = world.home.home / "work"
    folder.mkdir()
    (folder / "cleanroom.yaml").write_text(POLICY)

    def tries(url: str) -> tuple[int, bytes]:
        words = ("secrets", "test", "forge", "--url", url, "-C", str(folder))
        with world.command(*words) as process:
            out, err = process.communicate(timeout=60)
        assert VALUE not in out + err
        return process.returncode, out

    assert tries("https://good.test/x") == (0, b"the answer is 200\n")
    assert arrived(world) == 1
    status, out = tries("https://good.test:8443/x")
    assert (status, out.startswith(b"the answer is")) == (1, True)
    assert arrived(world) == 1


def folder_of(world: World, words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the flag that names the folder of the run, for commands that have it."""
    return ("-C", str(world.home.home / "work1")) if words[0] == "secrets" else ()


def test_the_search_finds_what_is_there(world: World) -> None:
    folder = world.home.home.parent
    search = Searched(world, VALUE, folder / "value")
    world.run(None, "result = 0")  # the gateway is there
    assert search.found() == []
    planted = world.home.state / "cleanroom" / "planted"
    planted.write_bytes(b"x" + VALUE + b"x")
    assert search.found() == [str(planted)]
    planted.unlink()
    with holding(VALUE.decode()) as process:
        assert search.found() == [f"/proc/{process.pid}/cmdline"]
    with holding(HELD=VALUE.decode()) as process:
        assert search.found() == [f"/proc/{process.pid}/environ"]
        assert in_memory(process.pid, VALUE)
    assert in_memory(os.getpid(), VALUE)
    assert search.found() == []
