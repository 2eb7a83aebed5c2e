"""A mirror whose files lie in storage behind signed addresses: the gateway follows, nobody else.

Promise R27. The mirror is private.test, its storage storage.test; what is signed is a secret.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.escape.egress_world import eventually
from tests.escape.mirror_world import BEARER, OTHER, TOKEN, WITHIN, mirrors
from tests.escape.registry_internet import (
    FETCH,
    RUN,
    Package,
    Project,
    Reply,
    package_lock,
    packument,
    sha256,
    unique,
)
from tests.escape.registry_world import NPM, PYPI, Registries, registries

pytestmark = pytest.mark.escape

MIRROR: Final = "private.test/api/npm"
INNER, CLOUD = "inner.test", "cloud.test"
ZONE: Final = {"private.test": WITHIN, INNER: "10.20.30.50", CLOUD: "169.254.169.254"}
SIGNATURE: Final = "X-Signature=b%2F7+d41d8cd98f00b204e9800998ecf8427e=="
TOOLS: Final = f"{FETCH}{RUN}import os\n"


@pytest.fixture(scope="module")
def shared(programs: Path, token: Path) -> Iterator[Registries]:
    """Registries of this file, and an operator whose mirror has storage."""
    assert programs.is_dir()
    keys = "url: https://private.test/api/npm, auth: company, "
    keys += "storage: [storage.test, inner.test, cloud.test]"
    itself = "url: https://files.test, storage: [storage.test]"
    with registries(mirrors(token, npm_test=keys, files_test=itself)) as made:
        yield made


@pytest.fixture
def outside(shared: Registries, token: Path) -> Registries:
    """Registries in which nothing has arrived yet, and the right token."""
    internet = shared.world.internet
    internet.forget()
    # Always the same in this file: the gateway remembers for some seconds where names are.
    internet.zone.update({name: [address] for name, address in ZONE.items()})
    token.write_text(TOKEN)
    return shared


@pytest.fixture
def pad(outside: Registries) -> Package:
    """A package of this test alone: the mirror signs an address for whoever has TOKEN."""
    made = Package(unique("stored"))
    sends(outside, made, signed(made))
    outside.script.answers(signed(made), Reply(made.data))
    return made


def signed(pad: Package, host: str = "storage.test") -> str:
    """Return where the file is, as the mirror says it."""
    return f"{host}/bucket/{pad.name}%20x?{SIGNATURE}"


def sends(outside: Registries, pad: Package, place: str) -> None:
    """Have the mirror send whoever has TOKEN there for the file."""
    location = place if "://" in place else f"https://{place}"
    moved = Reply(b"", 307, (f"Location: {location}",), only=(BEARER,))
    outside.script.answers(f"{MIRROR}{pad.file}", moved)


def getting(*paths: str) -> str:
    return f"{TOOLS}\nresult = [fetch('npm.test', path) for path in {paths!r}]"


def hosts(outside: Registries) -> list[str]:
    return [each.host for each in outside.script.asked]


def is_kept(outside: Registries, pad: Package) -> bool:
    said = outside.run(NPM, getting(pad.file), pad.lock, flags=("--offline",))
    return bool(said.result == [pad.good])


def test_npm_installs_from_storage_and_nobody_learns_what_was_signed(
    outside: Registries, pad: Package
) -> None:
    page = packument(pad.name, {pad.version: pad.data}, MIRROR)
    outside.script.answers(f"{MIRROR}/{pad.name}", Reply(page, kind="application/json"))
    wants = {"name": "work", "version": "1.0.0", "dependencies": {pad.name: pad.version}}
    files = {"package.json": json.dumps(wants), ".npmrc": "registry=https://npm.test/\n"}
    lock = package_lock({pad.name: pad.entry}, wants)
    program = f'{TOOLS}\nresult = run("npm", "--no-fund", "ci")'
    said = outside.run(NPM, program, lock, files)
    assert said.result[0] == 0, said.result
    told = {each.host: each for each in outside.script.asked}
    assert set(told) == {"private.test", "storage.test"}
    assert told["private.test"].authorization == BEARER
    assert told["storage.test"].authorization == ""
    assert f"/{told['storage.test'].path[1:]}" == f"/{signed(pad).partition('/')[2]}"
    assert TOKEN not in told["storage.test"].head
    (served,) = [each for each in said.audit if each.get("storage")]
    assert (served["name"], served["mirror"]) == ("npm.test", "private.test")
    assert (served["storage"], served["path"]) == ("storage.test", pad.file)
    for secret in ("X-Signature", "/bucket/"):
        assert secret not in json.dumps([said.result, said.audit, said.stderr])
    assert "storage.test" not in json.dumps(said.result)
    assert eventually(lambda: is_kept(outside, pad), 60)
    kept = outside.world.home.cache / "cleanroom/content"
    blobs = [each for each in kept.glob("**/*") if each.is_file()]
    assert blobs
    assert not [each for each in blobs if b"X-Signature" in each.read_bytes()]


def test_it_is_had_once_and_belongs_to_the_mirrors_identity(
    outside: Registries, pad: Package, token: Path
) -> None:
    for _ in range(2):
        assert outside.run(NPM, getting(pad.file), pad.lock).result == [pad.good]
        assert eventually(lambda: is_kept(outside, pad), 60)
    assert hosts(outside) == ["private.test", "storage.test"]
    token.write_text(OTHER)
    assert not is_kept(outside, pad)
    said = outside.run(NPM, getting(pad.file), pad.lock)
    assert [each[0] for each in said.result] == [403]
    assert said.denials("secret_unavailable")
    assert hosts(outside) == ["private.test", "storage.test", "private.test"]


def test_what_is_warmed_comes_from_storage(outside: Registries, pad: Package) -> None:
    outside.script.answers(f"{MIRROR}/{pad.name}", pad.page)
    status, out, err = outside.warm(NPM, pad.lock)
    assert status == 0, (out, err)
    assert hosts(outside) == ["private.test", "private.test", "storage.test"]
    assert is_kept(outside, pad)
    assert "X-Signature" not in out + err


def test_a_host_that_redirects_its_own_files_is_a_mirror_of_itself(outside: Registries) -> None:
    """No company's mirror: a public file host, which signs addresses of its CDN."""
    made = Project(unique("some_pkg"))
    place = f"storage.test/cdn{made.file}?{SIGNATURE}"
    moved = Reply(b"", 302, (f"Location: https://{place}",))
    outside.script.answers(f"files.test{made.file}", moved)
    outside.script.answers(place, Reply(made.wheel))
    (got,) = outside.get(PYPI, made.lock, made.file, host="files.test")
    assert got == [200, "OK", sha256(made.wheel), len(made.wheel)]
    assert hosts(outside) == ["files.test", "storage.test"]


def test_storage_may_be_the_companys_own_and_private(outside: Registries, pad: Package) -> None:
    sends(outside, pad, signed(pad, INNER))
    outside.script.answers(signed(pad, INNER), Reply(pad.data))
    assert outside.run(NPM, getting(pad.file), pad.lock).result == [pad.good]
    said = outside.run(NPM, f"{TOOLS}\nresult = fetch('{INNER}', '/bucket/x')", pad.lock)
    assert said.result[0] == 0, "to a sandbox it is a name like any other"
    assert len(outside.world.reached(ZONE[INNER])) == 1


# Where the mirror sends for the file (HOST/PATH is a place of it), and what the client gets
ATTACKS: Final[dict[str, tuple[str, int]]] = {
    "to storage": ("https://storage.test/PATH", 200),
    "to a host that is not listed": ("https://evil.test/PATH", 403),
    "to plain text": ("http://storage.test/PATH", 403),
    "to a port of it": ("https://storage.test:8443/PATH", 403),
    "to a private address": (f"https://{WITHIN}/PATH", 403),
    "to the machine itself": ("https://127.0.0.1/PATH", 403),
    "to a longer name": ("https://storage.test.evil.test/PATH", 403),
    "behind a user": ("https://storage.test@evil.test/PATH", 403),
    "behind a fragment": ("https://evil.test#@storage.test/PATH", 403),
}


def test_a_mirror_sends_nobody_but_to_its_storage(outside: Registries) -> None:
    pads = {where: Package(unique("sent")) for where in ATTACKS}
    for where, each in pads.items():
        path = signed(each).partition("/")[2]
        sends(outside, each, ATTACKS[where][0].replace("PATH", path))
        for host in ("storage.test", "evil.test", WITHIN):
            outside.script.answers(f"{host}/{path}", Reply(each.data))
    lock = package_lock({each.name: each.entry for each in pads.values()})
    said = outside.run(NPM, getting(*(each.file for each in pads.values())), lock)
    got = {where: each[0] for where, each in zip(pads, said.result, strict=True)}
    assert got == {where: status for where, (_, status) in ATTACKS.items()}
    assert hosts(outside).count("storage.test") == 1
    assert set(hosts(outside)) == {"private.test", "storage.test"}
    reached = {(each.address, each.port) for each in outside.world.reached()}
    assert reached == {(WITHIN, 443), ("203.0.113.10", 443)}
    assert "X-Signature" not in json.dumps([said.audit, said.stderr])
    reasons = json.dumps(said.denials("registry_not_allowed"))
    assert "mirrors.npm.test.storage in config.yaml names the hosts" in reasons


def test_storage_has_the_locked_file_or_nothing(outside: Registries) -> None:
    """It sends on, says why not in words that repeat what was signed, or has other bytes."""
    on, no, other = (Package(unique("wrong")) for _ in range(3))
    for each in (on, no, other):
        sends(outside, each, signed(each))
    moved = Reply(b"", 302, (f"Location: https://{signed(on)}&again",))
    outside.script.answers(signed(on), moved)
    outside.script.answers(f"{signed(on)}&again", Reply(on.data))
    outside.script.answers(signed(no), Reply(SIGNATURE.encode(), 403, kind="application/xml"))
    outside.script.answers(signed(other), Reply(other.tampered))
    lock = package_lock({each.name: each.entry for each in (on, no, other)})
    program = f"{getting(on.file, no.file, other.file)}\nresult.append(fetch('npm.test', '/x'))"
    said = outside.run(NPM, program, lock)
    assert [each[0] for each in said.result] == [403, 502, 403, 404]
    assert outside.script.count(f"{signed(on)}&again") == 0
    assert len(said.denials("integrity_mismatch")) == 1
    (down,) = said.denials("upstream_unreachable")
    sentence = "storage.test, storage of the mirror of npm.test, answers 403"
    assert sentence in down["reason"]
    assert SIGNATURE not in json.dumps([said.result, said.audit, said.stderr])
    assert not outside.keeps_any(other.tampered)


def test_a_page_is_not_had_from_storage(outside: Registries, pad: Package) -> None:
    place = f"storage.test/pages?{SIGNATURE}"
    moved = Reply(b"", 307, (f"Location: https://{place}",))
    outside.script.answers(f"{MIRROR}/{pad.name}", moved)
    outside.script.answers(place, pad.page)
    said = outside.run(NPM, getting(f"/{pad.name}"), pad.lock)
    assert [each[0] for each in said.result] == [403]
    assert hosts(outside) == ["private.test"]


def test_what_nobody_may_reach_is_no_storage(outside: Registries, pad: Package) -> None:
    """Where the name leads is judged as ever: here to a cloud's service for its machines."""
    sends(outside, pad, signed(pad, CLOUD))
    said = outside.run(NPM, getting(pad.file), pad.lock)
    assert [each[0] for each in said.result] == [403]
    assert said.denials("address_not_allowed")
    assert not outside.world.reached(ZONE[CLOUD])
