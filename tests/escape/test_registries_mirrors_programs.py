"""cargo, go and git through a company's mirror that wants a token (R24, R25).

Each by the program itself: cold, warm, offline, and with a token that the mirror does not know. The
mirror has the paths that such products have; policies and programs know public names alone.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.escape.egress_world import Report, eventually
from tests.escape.git_internet import GitInternet, git_hosts
from tests.escape.mirror_world import BEARER, OTHER, TOKEN, WITHIN, mirrors
from tests.escape.registry_internet import Reply, Script, unique
from tests.escape.registry_modules import (
    INDEX,
    PROXY,
    STATIC,
    Crate,
    Module,
    have_crates,
    have_modules,
)
from tests.escape.registry_world import Registries, registries
from tests.escape.test_registries_cargo import cargo
from tests.escape.test_registries_git import Repository
from tests.escape.test_registries_git import run as run_git
from tests.escape.test_registries_go import go

pytestmark = pytest.mark.escape

CODE: Final = "api/code"  # below it are repositories and modules
BELOW: Final = {
    INDEX: "api/cargo/crates/index",
    STATIC: "api/cargo/crates/v1",
    PROXY: CODE,
}
Client = Callable[..., Report]


@pytest.fixture(scope="module")
def shared(programs: Path, token: Path) -> Iterator[Registries]:
    """Hosts of this file, and an operator who has them asked at a mirror."""
    assert programs.is_dir()
    every = {
        host.replace(".", "_"): f"url: https://private.test/{below}, auth: company"
        for host, below in BELOW.items()
    }
    with git_hosts(), registries(mirrors(token, **every), internet=GitInternet) as made:
        yield made


@pytest.fixture
def outside(shared: Registries, token: Path) -> Registries:
    """A world in which nothing has arrived yet, and the right token."""
    internet = shared.world.internet
    internet.forget()
    internet.zone["private.test"] = [WITHIN]
    token.write_text(TOKEN)
    return shared


def at_the_mirror(outside: Registries, public: Script) -> None:
    """Have the mirror answer what public hosts would, to whoever has TOKEN."""
    for (host, path), (reply,) in public.replies.items():
        place = f"private.test/{BELOW[host]}{path}"
        outside.script.answers(place, replace(reply, only=(BEARER,)))


def holds(outside: Registries, token: Path, client: Client, place: str) -> None:
    """Cold, warm, offline; then another token finds nothing, and is told so by the mirror."""
    said = client()
    assert said.result[0] == 0, said.result
    asked = list(outside.script.asked)
    assert {each.host for each in asked} == {"private.test"}
    assert {each.authorization for each in asked} == {BEARER}
    assert {each.address for each in outside.world.reached(port=443)} == {WITHIN}
    told = json.dumps([said.result, said.audit, said.stderr])
    assert TOKEN not in told
    assert "private.test" not in json.dumps(said.result)
    count = outside.script.count(place)
    assert count
    assert eventually(lambda: client(flags=("--offline",)).result[0] == 0, 60)
    assert client().result[0] == 0
    assert outside.script.count(place) == count
    token.write_text(OTHER)
    assert client(flags=("--offline",)).result[0] != 0
    refused = client()
    assert refused.result[0] != 0
    assert "secret_unavailable" in refused.result[1]
    assert "does not take the operator's secret 'company'" in refused.stderr
    assert OTHER not in json.dumps([refused.result, refused.audit, refused.stderr])


def test_cargo_builds_from_the_mirror(outside: Registries, token: Path) -> None:
    """Its index says that a token is needed: that is told to the gateway, not to cargo."""
    pad = Crate(unique("left_pad"))
    public = Script()
    have_crates(public, pad.name, {"1.0.0": pad.good})
    config = {
        "dl": "https://private.test/api/cargo/crates/v1/crates",
        "api": "https://private.test/api/cargo/crates",
        "auth-required": True,
    }
    public.answers(f"{INDEX}/config.json", Reply(json.dumps(config).encode()))
    at_the_mirror(outside, public)
    client = partial(cargo, outside, pad, "check", "--locked")
    holds(outside, token, client, f"private.test/{BELOW[STATIC]}{pad.path}")


def test_go_builds_from_the_mirror(outside: Registries, token: Path) -> None:
    lib = Module(f"mods.example/Team/{unique('lib')}")
    public = Script()
    have_modules(public, lib.name, {"v1.0.0": lib.good})
    at_the_mirror(outside, public)
    client = partial(go, outside, lib, "build", "./...")
    holds(outside, token, client, f"private.test/{CODE}{lib.zip}")


def test_git_clones_from_the_mirror(outside: Registries, token: Path) -> None:
    lib = Repository(f"{CODE}/team")
    GitInternet.private[lib.name] = BEARER
    public = f"https://{PROXY}/{lib.name.removeprefix(f'{CODE}/')}"

    def client(flags: tuple[str, ...] = ()) -> Report:
        said = run_git(outside, ("clone", "-q", public, "copy"), flags=flags)
        return replace(said, result=said.result[0])

    holds(outside, token, client, f"private.test/{lib.name}/git-upload-pack")
