"""E38, S10: `policy reload` holds a living sandbox to less, in the middle of what it does.

Each program begins under a policy that allows all of it, which is the control; then the person
edits the file on the host and reloads. What is still allowed goes on.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.escape.egress_world import Report, Running
from tests.escape.registry_internet import FETCH, Package, Reply, package_lock, unique
from tests.escape.registry_world import LOCKS, Registries, registries
from tests.escape.test_registries_cooldown import publish

pytestmark = pytest.mark.escape

VALUE = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
BODY = b"x" * 200_000
# `stream` begins to read an answer; `rest` is its end: how much came, or how it was cut.
TOOLS = f"""{FETCH}
import http.client, os
BEARER = {{"Authorization": "Bearer " + os.environ.get("TOKEN", "none")}}
def stream(host, headers={{}}):
    link = http.client.HTTPSConnection(host, timeout=60)
    link.request("GET", "/stream", headers=headers)
    answer = link.getresponse()
    return [answer, len(answer.read(1000)), link]
def rest(streamed):
    try:
        return streamed[1] + len(streamed[0].read())
    except (OSError, http.client.HTTPException) as error:
        return "cut"
def again(host, headers={{}}):
    try:
        link = http.client.HTTPSConnection(host, timeout=60)
        link.request("GET", "/again", headers=headers)
        answer = link.getresponse()
        answer.read()
        return [answer.status, answer.reason.partition(":")[0]]
    except (OSError, http.client.HTTPException) as error:
        return [0, type(error).__name__]
"""


@pytest.fixture(scope="module")
def shared(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registries]:
    """Registries, and an operator who has a value for private.test."""
    assert programs.is_dir()
    file = tmp_path_factory.mktemp("value") / "value"
    file.write_text(VALUE)
    with registries(f"secrets:\n  forge: {{file: {file}, hosts: [private.test]}}\n") as made:
        yield made


class Session:
    """A program in a sandbox, and the files of its workspace on the host."""

    def __init__(self, outside: Registries, policy: str, program: str, lock: str = "{}") -> None:
        self.outside = outside
        self.world = outside.world
        files = {LOCKS["npm"]: lock}
        source = f"{TOOLS}\n{program}"
        self.running: Running = self.world.start(policy, source, files=files)
        self.folder = self.world.home.home / f"work{self.world._count}"
        self.running.await_ready()

    def reloads(self, policy: str, lock: str = "{}") -> tuple[int, str, str]:
        """Edit the files, and reload."""
        (self.folder / "cleanroom.yaml").write_text(policy)
        (self.folder / LOCKS["npm"]).write_text(lock)
        process = self.world.command("policy", "reload", "-C", str(self.folder))
        out, err = process.communicate(timeout=60)
        return process.returncode, out.decode(), err.decode()

    def goes_on(self) -> Report:
        """Let the program finish."""
        report = self.world.finish(self.running, b"\n")
        assert report.status == 0, report.stderr
        return report


def rules(*hosts: str, more: str = "") -> str:
    listed = "".join(f"      - {host}\n" for host in hosts)
    return f"version: 1\nsandbox:\n  network:\n    default: deny\n    allow:\n{listed}{more}"


MIRROR = "{host: mirror.test, ports: [443]}"
INDEX = "{host: index.test, ports: [443], inspect: true}"
FILES = "{host: files.test, ports: [443]}"
PRIVATE = "{host: private.test, ports: [443]}"
SECRET = "secrets: [{id: forge, env: TOKEN, allowed_hosts: [private.test]}]\n"  # noqa: S105


@pytest.fixture
def gate(outside: Registries) -> Iterator[threading.Event]:
    """What the second half of each stream waits for."""
    held = threading.Event()
    for host in ("mirror.test", "index.test", "files.test", "private.test"):
        outside.script.answers(f"{host}/stream", Reply(BODY, gate=held))
        outside.script.answers(f"{host}/again", Reply(b"again"))
    yield held
    held.set()


def test_downloads_that_the_policy_no_longer_allows_are_cut(
    outside: Registries, gate: threading.Event
) -> None:
    """E38: one that is relayed, one that is opened; a third is allowed yet, and goes on."""
    session = Session(
        outside,
        rules(MIRROR, INDEX, FILES),
        "streams = [stream(host) for host in ('mirror.test', 'index.test', 'files.test')]\n"
        "await_word()\n"
        "result = [rest(streams[0]), rest(streams[1])]\n"
        "result += [again('mirror.test'), again('index.test')]\n"
        "result += [rest(streams[2]), again('files.test')]\n",
    )
    status, out, err = session.reloads(rules(FILES))
    assert (status, err) == (0, "")
    assert "- host index.test on port 443\n- host mirror.test on port 443\n" in out
    gate.set()
    said = session.goes_on()
    mirror, index, *control = said.result[2:]
    assert said.result[:2] == ["cut", "cut"]
    assert (mirror, index) == ([0, "gaierror"], [0, "gaierror"])
    assert control == [len(BODY), [200, "Reply"]]
    cut = {event["name"] for event in said.denials("host_not_allowed") if event["port"] == 443}
    assert cut == {"mirror.test", "index.test"}
    lines = [json.loads(line) for line in outside.world.read_audit().splitlines()]
    (narrowed,) = [
        line
        for line in lines
        if line.get("kind") == "sandbox.narrowed" and line["sandbox_id"] == said.sandbox_id
    ]
    assert "- host mirror.test on port 443" in narrowed["detail"]["changes"]
    assert "the policy was narrowed: - host" in said.stderr


@pytest.mark.parametrize("host", ["loses its secret", "and its rule"])
def test_a_secret_is_revoked_in_the_middle_of_a_stream(
    outside: Registries, gate: threading.Event, host: str
) -> None:
    """S10: nothing is asked any more of a host that knows the value, opened or not."""
    session = Session(
        outside,
        rules(PRIVATE, FILES, more=SECRET),
        "streamed = stream('private.test', BEARER)\n"
        "control = stream('files.test')\n"
        "await_word()\n"
        "result = [rest(streamed), again('private.test', BEARER), again('private.test')]\n"
        "result += [rest(control)]\n",
    )
    assert [each.authorization for each in outside.script.asked if each.host == "private.test"] == [
        f"Bearer {VALUE}"
    ]
    kept = (PRIVATE, FILES) if host == "loses its secret" else (FILES,)
    status, out, _ = session.reloads(rules(*kept))
    assert status == 0
    assert "- secret forge (TOKEN) to private.test on port 443\n" in out
    gate.set()
    said = session.goes_on()
    assert said.result[0] == "cut"
    assert [said.result[1][0], said.result[2][0], said.result[3]] == [0, 0, len(BODY)]
    assert "secret_unavailable" in {event["code"] for event in said.denials()}
    assert len([each for each in outside.script.asked if each.host == "private.test"]) == 1


NPM = "registries:\n  npm:\n    enable: %s\n    allowed_hosts: [npm.test]\n"
LOCK = "{enabled: true, mode: deny_unknown, lockfiles: [package-lock.json]}"
HELD = f"{NPM}    lockfile_enforcement: {LOCK}\n"


def test_a_package_that_no_lock_file_pins_any_more_is_refused_also_from_the_cache(
    outside: Registries,
) -> None:
    """On the same connection, too: it was judged by the lock file of before."""
    kept, gone = Package(unique("kept")), Package(unique("gone"))
    for each in (kept, gone):
        outside.script.answers(each.place, Reply(each.data))
    both = package_lock({kept.name: kept.entry, gone.name: gone.entry})
    policy = rules(FILES, more=HELD % "true")
    session = Session(
        outside,
        policy,
        f"ask = lambda: [fetch('npm.test', path) for path in {[kept.file, gone.file]!r}]\n"
        "kept = http.client.HTTPSConnection('npm.test', timeout=60)\n"
        f"kept.request('GET', {gone.file!r})\n"
        "first = [kept.getresponse().read() != b'', *ask()]\n"
        "await_word()\n"
        "try:\n"
        f"    kept.request('GET', {gone.file!r})\n"
        "    old = kept.getresponse().status\n"
        "except (OSError, http.client.HTTPException):\n"
        "    old = 'cut'\n"
        "result = [first, old, ask()]\n",
        both,
    )
    status, out, err = session.reloads(policy, kept.lock)
    assert (status, err) == (0, "")
    assert f"- registries.npm: packages {gone.name} 1.3.0" in out
    first, old, second = session.goes_on().result
    assert first == [True, kept.good, gone.good]
    assert old == "cut"
    assert second[0] == kept.good
    assert second[1][0] == 403
    assert second[1][1].startswith("lockfile_violation")
    assert outside.script.count(gone.place) == 1


def test_a_stricter_lock_mode_and_a_cooldown_hold_for_what_the_cache_has(
    outside: Registries,
) -> None:
    """Pages, too: what is too young by now is not listed to a client that saw it before."""
    old, young = publish(outside)
    lock = package_lock({old.name: old.entry})
    loose = HELD.replace("deny_unknown", "warn") % "true"
    session = Session(
        outside,
        rules(FILES, more=loose),
        f"""import json, urllib.request
def look():
    page = json.load(urllib.request.urlopen("https://npm.test/{old.name}", context=CONTEXT))
    found = [fetch("npm.test", path) for path in {[old.file, young.file]!r}]
    return [sorted(page["versions"]), found]
first = look()
await_word()
result = [first, look()]
""",
        lock,
    )
    strict = rules(FILES, more=f"{HELD % 'true'}    cooldown: 7d\n")
    status, out, err = session.reloads(strict, lock)
    assert (status, err) == (0, "")
    assert "- registries.npm.cooldown: not set -> 604800" in out
    assert "- registries.npm.lockfile_enforcement.mode: warn -> deny_unknown" in out
    first, second = session.goes_on().result
    assert first == [["1.3.0", "1.3.1"], [old.good, young.good]]
    assert second[0] == ["1.3.0"]
    assert second[1][0] == old.good
    assert second[1][1][0] == 403
    assert outside.script.count(young.place) == 1


def test_a_registry_that_is_removed_is_reached_no_more(outside: Registries) -> None:
    package = Package(unique("pad"))
    outside.script.answers(package.place, Reply(package.data))
    session = Session(
        outside,
        rules(FILES, more=HELD % "true"),
        f"first = fetch('npm.test', {package.file!r})\n"
        "await_word()\n"
        f"result = [first, fetch('npm.test', {package.file!r})[0]]\n",
        package.lock,
    )
    assert session.reloads(rules(FILES, more=HELD % "false"), package.lock)[0] == 0
    assert session.goes_on().result == [package.good, 0]
    assert outside.script.count(package.place) == 1


def test_what_is_wider_changes_nothing_of_a_living_sandbox(
    outside: Registries, gate: threading.Event
) -> None:
    """Not even the part of it that is narrower, and nothing of another folder."""
    session = Session(
        outside,
        rules(MIRROR, FILES),
        "streamed = stream('mirror.test')\nawait_word()\n"
        "result = [rest(streamed), again('index.test'), again('mirror.test')]\n",
    )
    status, out, err = session.reloads(rules(FILES, INDEX))
    assert status == 1
    assert "refused: the policy also reaches more" in out
    assert "+ host index.test on port 443" in out
    assert "mirror.test" not in out
    assert "next: a new sandbox has the whole policy" in err
    gate.set()
    assert session.goes_on().result == [len(BODY), [0, "gaierror"], [200, "Reply"]]
