"""Private packages: a registry that wants a token, sandboxes that have it, another one, or none.

What one credential got is nobody else's (R22), and the value is told to its hosts only and does
not come back (R23).
"""

import base64
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.escape.egress_world import Report, eventually
from tests.escape.registry_internet import (
    FETCH,
    RUN,
    Package,
    Project,
    Reply,
    package_lock,
    sha256,
    unique,
)
from tests.escape.registry_world import NPM, Registries, registries, registry_policy

pytestmark = pytest.mark.escape

VALUE: Final = "npm_0123456789abcdefghijABCDEFGHIJ012345"
OTHER: Final = "npm_9876543210abcdefghijABCDEFGHIJ012345"
BEARER: Final = f"Bearer {VALUE}"
_HOSTS: Final = "npm.test, mirror.test, index.test"
# Two operators' words for one value, and one for another.
_VALUES: Final = {"mine": VALUE, "alike": VALUE, "other": OTHER}
TOOLS: Final = f"""{FETCH}
import os, subprocess
TOKEN = os.environ.get("TOKEN", "")
def get(path, host="npm.test", **fields):
    fields = {{"Authorization": "Bearer " + TOKEN, **fields}} if TOKEN else fields
    return fetch(host, path, **fields)
{RUN}"""


@pytest.fixture(scope="module")
def shared(programs: Path) -> Iterator[Registries]:
    """Registries of this file, and an operator with tokens for them."""
    assert programs.is_dir()
    with tempfile.TemporaryDirectory(prefix="cr", dir="/tmp") as folder:
        lines = ["secrets:"]
        for secret, value in _VALUES.items():
            file = Path(folder, secret)
            file.write_text(value)
            lines.append(f"  {secret}: {{file: {file}, hosts: [{_HOSTS}]}}")
        with registries("\n".join(lines) + "\n") as made:
            yield made


@pytest.fixture
def pad(outside: Registries) -> Package:
    """A private package of this test alone: VALUE opens it, and OTHER does not."""
    made = Package(unique("private"))
    outside.script.answers(made.place, Reply(made.data, only=(BEARER,)))
    outside.script.answers(f"npm.test/{made.name}", replace(made.page, only=(BEARER,)))
    return made


def bound(secret: str, policy: str = NPM, hosts: str = "npm.test", **keys: str) -> str:
    """Return a policy with one secret in TOKEN."""
    words = "".join(f", {name.strip('_')}: {text}" for name, text in keys.items())
    return f"{policy}secrets:\n  - {{id: {secret}, env: TOKEN, allowed_hosts: [{hosts}]{words}}}\n"


def statuses(said: Report) -> list[int]:
    return [each[0] for each in said.result]


def is_kept(outside: Registries, policy: str, pad: Package) -> bool:
    """Tell whether a sandbox of this policy has it without a registry."""
    program = f"{TOOLS}\nresult = [get({pad.file!r})]"
    said = outside.run(policy, program, pad.lock, flags=("--offline",))
    return bool(said.result == [pad.good])


def test_what_one_credential_got_is_found_by_the_same_one_only(
    outside: Registries, pad: Package
) -> None:
    """R22: package and page; the control is a second sandbox that has the same value."""
    program = f"{TOOLS}\nresult = [get({pad.file!r}), get('/{pad.name}')]"
    mine = outside.run(bound("mine"), program, pad.lock)
    assert mine.result[0] == pad.good
    assert statuses(mine) == [200, 200]
    assert eventually(lambda: is_kept(outside, bound("mine"), pad), 60)
    assert is_kept(outside, bound("alike"), pad)  # another secret's name, the same value
    for policy in (bound("other"), NPM):
        assert not is_kept(outside, policy, pad)
        said = outside.run(policy, program, pad.lock)
        assert statuses(said) == [401, 401]
        assert {event.get("cache") for event in said.audit if event["phase"] == "served"} == {
            "miss"
        }
    asked = [each.authorization for each in outside.script.asked]
    assert asked == [BEARER] * 2 + [f"Bearer {OTHER}"] * 2 + [""] * 2


def test_what_nobody_is_asked_for_is_not_found_with_a_credential_either(
    outside: Registries,
) -> None:
    """R22: the other way: what the public has is asked for again, and may differ."""
    public = Package(unique("public"))
    outside.script.answers(public.place, Reply(public.data))
    program = f"{TOOLS}\nresult = [get({public.file!r})]"
    assert outside.run(NPM, program, public.lock).result == [public.good]
    assert eventually(lambda: is_kept(outside, NPM, public), 60)
    assert not is_kept(outside, bound("mine"), public)
    assert outside.run(bound("mine"), program, public.lock).result == [public.good]
    assert outside.script.count(public.place) == 2


def test_what_was_seen_first_is_of_one_credential(outside: Registries) -> None:
    """R22: a name without a digest is held to the bytes that this credential saw."""
    files = {"mine": b"one", "other": b"another"}
    pad = Package(unique("first"))
    policy = registry_policy(mode="off")
    for secret, data in files.items():
        outside.script.answers(pad.place, Reply(data))
        program = f"{TOOLS}\nresult = [get({pad.file!r})]"
        said = outside.run(bound(secret, policy), program, pad.lock)
        assert said.result == [[200, "OK", sha256(data), len(data)]]


def test_npm_installs_a_private_package(outside: Registries, pad: Package) -> None:
    wants = {"name": "work", "version": "1.0.0", "dependencies": {pad.name: pad.version}}
    files = {
        "package.json": json.dumps(wants),
        ".npmrc": "registry=https://npm.test/\n//npm.test/:_authToken=${TOKEN}\n",
    }
    program = f"{TOOLS}\nresult = run('npm', '--no-fund', 'ci')"
    lock = package_lock({pad.name: pad.entry}, wants)
    said = outside.run(bound("mine"), program, lock, files)
    assert said.result[0] == 0, said.result
    assert {each.authorization for each in outside.script.asked} == {BEARER}
    assert VALUE not in json.dumps([said.result, said.audit, said.stderr])


def test_pip_installs_from_a_private_index(outside: Registries) -> None:
    made = Project(unique("some_private"))
    basic = f"Basic {base64.b64encode(f'me:{VALUE}'.encode()).decode()}"
    outside.script.answers(f"index.test/simple/{made.name}/", replace(made.page, only=(basic,)))
    outside.script.answers(f"files.test{made.file}", Reply(made.wheel))
    policy = bound("mine", registry_policy("pypi", "index.test, files.test"), "index.test")
    program = f"""{TOOLS}
index = f"https://me:{{TOKEN}}@index.test/simple"
flags = ["--no-cache-dir", "--require-hashes", "--target", "/tmp/to", "-i", index]
result = run("pip3", "install", *flags, "-r", "requirements.txt")
"""
    said = outside.run(policy, program, made.lock)
    assert said.result[0] == 0, said.result
    told = {(each.host, each.authorization) for each in outside.script.asked}
    assert told == {("index.test", basic), ("files.test", "")}
    assert VALUE not in json.dumps([said.result, said.audit, said.stderr])


@pytest.mark.parametrize("hosts", ["npm.test", "npm.test, mirror.test"])
def test_a_redirect_carries_a_credential_only_where_the_binding_names(
    outside: Registries, pad: Package, hosts: str
) -> None:
    """R23: to another host of the same registry."""
    redirect = Reply(b"", 302, (f"Location: https://mirror.test{pad.file}",))
    outside.script.answers(pad.place, redirect)
    outside.script.answers(f"mirror.test{pad.file}", Reply(pad.data))
    policy = bound("mine", registry_policy(hosts="npm.test, mirror.test"), hosts)
    said = outside.run(policy, f"{TOOLS}\nresult = [get({pad.file!r})]", pad.lock)
    assert said.result == [pad.good]
    told = [(each.host, each.authorization) for each in outside.script.asked]
    assert told == [("npm.test", BEARER), ("mirror.test", BEARER if "mirror" in hosts else "")]


ELSEWHERE: Final = {
    "another host": "get(PATH, 'mirror.test')",
    "a query": "fetch('npm.test', PATH + '?t=' + TOKEN)",
    "a cookie": "fetch('npm.test', PATH, Cookie='a=' + TOKEN)",
    "another field": "fetch('npm.test', PATH, User_Agent=TOKEN)",
    "a path": "fetch('npm.test', '/' + TOKEN)",
    "a foreign token": "fetch('npm.test', PATH, Authorization='Bearer npm_of_the_workload')",
    "a foreign password": "fetch('npm.test', PATH, Authorization='Basic bWU6bXlzZWxm')",
}


@pytest.mark.parametrize("attempt", ELSEWHERE)
def test_anywhere_else_it_is_a_violation_that_goes_nowhere(
    outside: Registries, pad: Package, attempt: str
) -> None:
    policy = bound("mine", registry_policy(hosts="npm.test, mirror.test"))
    program = f"{TOOLS}\nPATH = {pad.file!r}\nresult = [{ELSEWHERE[attempt]}, get(PATH)]"
    said = outside.run(policy, program, pad.lock)
    assert statuses(said) == [403, 200]  # the second is the control
    assert len(said.denials("secret_scope_violation")) == 1
    assert [each.authorization for each in outside.script.asked] == [BEARER]


def test_what_a_registry_repeats_does_not_come_in(outside: Registries, pad: Package) -> None:
    """R23: in a page it is the placeholder; a package that has it in it is not handed over."""
    echo = json.dumps({"name": pad.name, "versions": {}, "you": BEARER}).encode()
    kind = f"application/json; x={VALUE}"
    fields = (f"ETag: {VALUE}", f"Last-Modified: {VALUE}")
    outside.script.answers(f"npm.test/{pad.name}", Reply(echo, kind=kind, fields=fields))
    outside.script.answers(pad.place, Reply(b"a package for " + VALUE.encode() + bytes(100)))
    program = f"""{TOOLS}
import urllib.request
asked = urllib.request.Request("https://npm.test/{pad.name}")
asked.add_header("Authorization", "Bearer " + TOKEN)
with urllib.request.urlopen(asked, timeout=60) as answer:
    head, text = str(answer.headers), answer.read().decode()
result = [TOKEN, head, text, get({pad.file!r})[0]]
"""
    said = outside.run(bound("mine", registry_policy(mode="off")), program, pad.lock)
    token, head, text, status = said.result
    assert json.loads(text)["you"] == f"Bearer {token}"
    assert token in head
    assert "etag" not in head.lower()
    assert status == 403
    assert len(said.denials("secret_scope_violation")) == 1
    assert VALUE not in json.dumps([said.result, said.audit, said.stderr])
    files = (outside.world.home.cache / "cleanroom/content").glob("**/*")
    assert not any(VALUE.encode() in file.read_bytes() for file in files if file.is_file())


def test_what_is_repeated_to_nobody_in_particular_is_not_kept(
    outside: Registries, pad: Package
) -> None:
    """R23: a registry that was told a value says it to the next one who asks without it."""
    echo = Reply(json.dumps({"you were": BEARER}).encode(), kind="application/json")
    outside.script.answers(f"npm.test/{pad.name}", echo)
    program = f"""{TOOLS}
import urllib.request
with urllib.request.urlopen("https://npm.test/{pad.name}", timeout=60) as answer:
    text = answer.read().decode()
result = [get({pad.file!r}), TOKEN, text]
"""
    said = outside.run(bound("mine"), program, pad.lock)
    found, token, text = said.result
    assert found == pad.good
    assert json.loads(text) == {"you were": f"Bearer {token}"}
    assert eventually(lambda: is_kept(outside, bound("mine"), pad), 60)
    files = (outside.world.home.cache / "cleanroom/content").glob("**/*")
    assert not any(VALUE.encode() in file.read_bytes() for file in files if file.is_file())
    anonymous = f"{TOOLS}\nresult = [get('/{pad.name}')]"
    said = outside.run(NPM, anonymous, pad.lock, flags=("--offline",))
    assert len(said.denials("offline_miss")) == 1


def test_when_its_time_is_over_nothing_of_the_host_is_served(
    outside: Registries, pad: Package
) -> None:
    program = f"""{TOOLS}
import time
until = time.monotonic() + 120
found = [get({pad.file!r})[:2]]
while found[-1][0] in (200, 0) and time.monotonic() < until:  # 0: cut in its midst
    time.sleep(0.2)
    found.append(get({pad.file!r})[:2])
bare = [0]
while bare[0] == 0 and time.monotonic() < until:  # the last connections are cut just now
    bare = fetch("npm.test", {pad.file!r})[:2]
result = [found[-1], bare]
"""
    said = outside.run(bound("mine", ttl="4s"), program, pad.lock)
    assert [each[0] for each in said.result] == [403, 403], said.result
    assert all(each[1].startswith("secret_unavailable") for each in said.result)


def test_the_index_tells_no_guess_of_a_token(outside: Registries, pad: Package) -> None:
    """R22: it has no digest of one that could be made without the key beside it."""
    program = f"{TOOLS}\nresult = [get({pad.file!r})]"
    assert outside.run(bound("mine"), program, pad.lock).result == [pad.good]
    assert eventually(lambda: is_kept(outside, bound("mine"), pad), 60)
    folder = outside.world.home.cache / "cleanroom/content"
    key = (folder / "identity.key").read_bytes()
    assert len(key) == 32
    index = b"".join(file.read_bytes() for file in folder.glob("index.db*"))
    assert VALUE.encode() not in index
    line = f"authorization: {BEARER}".encode()
    told = sha256(b"cleanroom: what a registry was told\n" + line)
    assert told.encode() not in index
