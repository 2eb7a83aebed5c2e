"""A cooldown in real sandboxes: what is too young is not listed and not fetched."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.escape.control import peak_kib
from tests.escape.registry_internet import FETCH, Package, Reply, packument, sha256, unique
from tests.escape.registry_world import Registries, registry_policy

pytestmark = pytest.mark.escape

TODAY = datetime.now(tz=UTC)  # noqa: TID251 -- the gateway looks at the machine's clock
YOUNG, OLD = TODAY - timedelta(hours=1), TODAY - timedelta(days=30)
COOLED = registry_policy(mode="", more="cooldown: 7d")


def publish(outside: Registries) -> tuple[Package, Package]:
    """Have the registry offer an old and a young version of one package."""
    name = unique("pad")
    old, young = Package(name, "1.3.0"), Package(name, "1.3.1")
    page = json.loads(packument(name, {each.version: each.data for each in (old, young)}))
    page["time"] = {"1.3.0": OLD.isoformat(), "1.3.1": YOUNG.isoformat()}
    place = f"npm.test/{name}"
    outside.script.answers(place, Reply(json.dumps(page).encode(), kind="application/json"))
    for each in (old, young):
        outside.script.answers(each.place, Reply(each.data))
    return old, young


def test_a_young_version_is_not_listed_and_not_fetched(outside: Registries) -> None:
    old, young = publish(outside)
    program = f"""{FETCH}
import json, urllib.request
page = json.load(urllib.request.urlopen("https://npm.test/{old.name}", context=CONTEXT))
result = [sorted(page["versions"]), page["dist-tags"]]
result += [fetch("npm.test", path) for path in ({old.file!r}, {young.file!r})]
"""
    versions, tags, first, second = outside.run(COOLED, program, "{}").result
    assert versions == ["1.3.0"]
    assert "1.3.1" not in tags.values()
    assert first == [200, "OK", sha256(old.data), len(old.data)]
    assert second[0] == 403
    assert second[1].startswith(f"cooldown_active: {young.name} 1.3.1")
    assert outside.script.count(young.place) == 0


def test_an_exception_lets_one_version_pass(outside: Registries) -> None:
    _, young = publish(outside)
    exception = f"{{purl: 'pkg:npm/{young.name}@1.3.1', expires: '2099-01-01', reason: a fix}}"
    excepting = registry_policy(mode="", more=f"cooldown: 7d\n    exceptions: [{exception}]")
    said = outside.ask(excepting, "{}", ("npm.test", young.file))
    assert said.result == [[200, "OK", sha256(young.data), len(young.data)]]
    (line,) = [event for event in said.audit if event["phase"] == "served"]
    assert (line["strength"], line["pin"].split(":")[0]) == ("exception", "exceptions")
    yesterday = (TODAY - timedelta(days=1)).date().isoformat()
    over = outside.ask(excepting.replace("2099-01-01", yesterday), "{}", ("npm.test", young.file))
    assert over.result[0][0] == 403  # although the cache has it by now
    assert over.result[0][1].startswith("cooldown_active: ")


def test_many_who_ask_for_a_large_page_and_read_nothing_stop_nobody(outside: Registries) -> None:
    """R9: what the policy leaves of a page is in the gateway's memory once, whoever reads it."""
    old, young = publish(outside)
    document = packument(old.name, {each.version: each.data for each in (old, young)})
    page = json.loads(document)
    page["time"] = {"1.3.0": OLD.isoformat(), "1.3.1": YOUNG.isoformat()}
    page["versions"]["1.3.0"]["readme"] = "x" * (8 << 20)
    large = Reply(json.dumps(page).encode(), kind="application/json")
    outside.script.answers(f"npm.test/{old.name}", large)
    program = f"""{FETCH}
import socket
request = b"GET /{old.name} HTTP/1.1\\r\\nHost: npm.test\\r\\n\\r\\n"
held = []
for _ in range(40):
    plain = socket.create_connection(("npm.test", 443), timeout=60)
    held.append(CONTEXT.wrap_socket(plain, server_hostname="npm.test"))
    held[-1].sendall(request)
begun = [each.recv(12) for each in held]
result = [begun.count(b"HTTP/1.1 200"), fetch("npm.test", {old.file!r})[0]]
"""
    pid = outside.world.gateway_pid
    before = peak_kib(pid)
    assert outside.run(COOLED, program, "{}").result == [40, 200]
    # 40 of it are 320 MiB; what is on the way of a connection, less than 2 MiB, is its own.
    assert peak_kib(pid) - before < 200 * 1024
