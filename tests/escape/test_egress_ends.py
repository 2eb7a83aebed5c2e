"""What holds when something ends or breaks: promises E35, E37, E42 and the audit before the bytes.

A stopped sandbox, a killed gateway, an audit that cannot be written, a neighbour that floods.
"""

import json
import os
import resource
import signal
import time

import pytest

from tests.escape.egress_world import PUBLIC, World, eventually, policy

pytestmark = pytest.mark.escape

BEACON = """
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(3):
            os.close(number)
        with socket.create_connection(("good.test", 5000), 5) as stream:
            while True:
                stream.sendall(b"beat")
                threading.Event().wait(0.02)
    os._exit(0)
threading.Event().wait(0.5)
result = "done"
""".replace("import os", "import os, threading")


def test_a_beacon_ends_with_its_sandbox(world: World) -> None:
    """E35: a daemonised program with an open stream is cut within 3 s."""
    said = world.run(policy("good.test:5000"), BEACON)
    ended = time.monotonic()
    (arrival,) = world.reached(PUBLIC, 5000)
    assert len(arrival.received) > 4  # the control: it beat
    assert eventually(lambda: arrival.is_closed, 3)
    assert arrival.last_at < ended + 3
    assert said.result == "done"
    closed = [event for event in world.audit_of(said.sandbox_id) if event["phase"] == "closed"]
    assert sum(event["bytes_out"] for event in closed) >= len(arrival.received)


def test_a_stop_cuts_what_is_under_way(world: World) -> None:
    """E35: `sandboxes stop` while a command streams."""
    running = world.start(
        policy("good.test:5000"),
        """
with socket.create_connection(("good.test", 5000), 5) as stream:
    stream.sendall(b"beat")
    await_word()
    result = None
""",
        "--sandbox",
        "streaming",
    )
    running.await_ready()
    assert eventually(lambda: bool(world.reached(PUBLIC, 5000)))
    (arrival,) = world.reached(PUBLIC, 5000)
    assert not arrival.is_closed
    began = time.monotonic()
    stop = world.command("sandboxes", "stop", "streaming")
    out, err = stop.communicate(timeout=15)
    assert stop.returncode == 0, (out, err)
    assert eventually(lambda: arrival.is_closed, 3)
    running.process.communicate(timeout=15)
    assert running.process.returncode != 0
    assert time.monotonic() - began < 10


def test_a_killed_gateway_leaves_no_network(own_world: World) -> None:
    """E37: open connections end, new ones and names get nothing; later sandboxes are served."""
    world = own_world
    running = world.start(
        policy("good.test:80,5000"),
        f"""
def lost(action, *arguments):
    try:
        return action(*arguments)
    except OSError as error:
        return type(error).__name__
held = socket.create_connection(("good.test", 5000), 5)
held.sendall(b"beat")
held.recv(100)
good = address_of("good.test")
await_word()
held.settimeout(5)
result = [lost(held.recv, 100) or b"", lost(ask_over_tcp, b"good.test"),
          dial(good, 5000, b"beat", wait=1), dial("{PUBLIC}", 80, b"x", wait=1)]
result = [str(item) for item in result]
""",
    )
    running.await_ready()
    before = len(world.internet.arrivals)
    os.kill(world.gateway_pid, 9)
    (arrival,) = world.reached(PUBLIC, 5000)
    assert eventually(lambda: arrival.is_closed, 3)
    out, err = running.process.communicate(b"go\n", timeout=25)
    assert len(world.internet.arrivals) == before
    held, asked, *dialled = json.loads(out.splitlines()[-1])
    assert held in ("b''", "ConnectionResetError")
    assert {asked, *dialled} <= {"ConnectionRefusedError", "ConnectionResetError", "TimeoutError"}
    assert b"gateway" in err.lower(), err
    assert "gateway_lost" in world.read_audit() or "gateway.lost" in world.read_audit()
    control = world.run(policy("good.test:80"), "result = get('good.test')")
    assert control.result == "HTTP/1.1 200 OK"


def test_without_an_audit_there_is_no_network(own_world: World) -> None:
    """Fail closed: when the daemon cannot write its log, not one byte more gets out."""
    world = own_world
    running = world.start(
        policy("good.test:80,5000"),
        """
before = get("good.test")
held = socket.create_connection(("good.test", 5000), 5)
held.sendall(b"one")
held.recv(100)
await_word()
result = [before, get("good.test"), dial("good.test", 5000, b"two", wait=2)]
""",
    )
    running.await_ready()
    (held,) = world.reached(PUBLIC, 5000)
    full = len(world.read_audit().encode())
    resource.prlimit(world.daemon.pid, resource.RLIMIT_FSIZE, (full, full))
    out, err = running.process.communicate(b"go\n", timeout=25)
    assert bytes(held.received) == b"one"
    assert not any(b"two" in arrival.received for arrival in world.reached())
    assert len([arrival for arrival in world.reached(PUBLIC, 80) if arrival.received]) == 1
    assert eventually(lambda: held.is_closed, 3), (out, err, world.log)
    assert len(world.read_audit().encode()) <= full
    before, *after = json.loads(out.splitlines()[-1])
    assert before == "HTTP/1.1 200 OK"
    assert not any("200" in text or "upstream" in text for text in after)
    later = world.start(policy("good.test:80"), "result = get('good.test')")
    later.process.communicate(timeout=25)
    assert later.process.returncode != 0
    assert len([arrival for arrival in world.reached(PUBLIC, 80) if arrival.received]) == 1


def test_no_byte_passes_while_nobody_writes_the_audit(own_world: World) -> None:
    """Decision 12: with the daemon stopped, verdicts cannot be written, so nothing is sent."""
    world = own_world
    running = world.start(
        policy("good.test:80,443,5000"),
        """
import threading, time
good = address_of("good.test")
until = time.monotonic() + 3
def repeat(port, data):
    while time.monotonic() < until:
        dial(good, port, data, wait=0.3)
sys.stdout.write("ready\\n")
sys.stdout.flush()
work = [(80, b"GET / HTTP/1.1\\r\\nHost: good.test\\r\\n\\r\\n"), (443, hello("good.test")),
        (5000, b"PING")]
threads = [threading.Thread(target=repeat, args=each) for each in work]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
result = None
""",
    )

    def arrived() -> list[int]:
        ports = (80, 443, 5000)
        return [sum(len(a.received) for a in world.reached(PUBLIC, port)) for port in ports]

    running.await_ready()
    assert eventually(lambda: all(arrived()))  # the control: everything flows
    os.kill(world.daemon.pid, signal.SIGSTOP)
    try:
        eventually(lambda: False, 0.3)  # what was written before is on its way
        before = arrived()
        eventually(lambda: arrived() != before, 0.7)
        assert arrived() == before
    finally:
        os.kill(world.daemon.pid, signal.SIGCONT)
    assert eventually(lambda: all(a > b for a, b in zip(arrived(), before, strict=True)))
    assert world.finish(running).status == 0


def test_a_flood_harms_no_neighbour(own_world: World) -> None:
    """E42: connections, names, half heads, junk; another sandbox is served in good time."""
    world = own_world
    flood = world.start(
        policy("good.test:80,5000", "*.many.test:80"),
        f"""
import threading
stop = threading.Event()
def repeat(action):
    while not stop.is_set():
        try:
            action()
        except OSError:
            pass
kept = []
def half():
    stream = socket.create_connection(("good.test", 80), 1)
    stream.sendall(b"GET / HTTP/1.1\\r\\nX: " + b"x" * 20000)
    kept.append(stream)
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
count = iter(range(10**9))
actions = [half, lambda: socket.create_connection(("{PUBLIC}", 443), 1).close(),
           lambda: out.sendto(query(b"n%d.many.test" % next(count)), ("198.18.0.1", 53)),
           lambda: out.sendto(b"junk", ("{PUBLIC}", 9)),
           lambda: get("good.test")]
threads = [threading.Thread(target=repeat, args=(action,), daemon=True) for action in actions]
for thread in threads:
    thread.start()
await_word()
stop.set()
import os
print("null", flush=True)
os._exit(0)
""",
    )
    flood.await_ready()
    said = world.run(
        policy("good.test:80", "*.calm.test:80"),
        """
import time
result = []
for number in range(40):
    began = time.monotonic()
    served = get("good.test")
    result.append([served, time.monotonic() - began])
""",
    )
    flooded = world.finish(flood, b"go\n")
    assert [served for served, _ in said.result] == ["HTTP/1.1 200 OK"] * 40
    slowest = sorted(took for _, took in said.result)
    assert slowest[-1] < 3.0, slowest
    assert slowest[len(slowest) // 2] < 0.5, slowest
    # The control: the flood flooded, met its limits, and did not flood the log.
    assert sum(1 + event.get("repeated", 0) for event in flooded.denials()) > 500
    assert flooded.denials("resource_limit")
    assert len(flooded.audit) < 10_000
