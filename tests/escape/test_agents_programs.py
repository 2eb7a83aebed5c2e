"""The vendors' own programs, unchanged, in real sandboxes: each does one task from end to end.

The server that shows the vendor's name has the agent run a command by its own tool, and then says
that all is done. `make nightly` fetches the programs, a gigabyte, pinned by hash.
"""

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from cleanroom.decide.echo import Echoes, Word
from cleanroom.policy.agent_recipes import Credential, Recipe
from tests.conftest import ROOT
from tests.escape.egress_world import PUBLIC, World
from tests.escape.logins import log_in, log_out
from tests.escape.vendor_internet import NAMES, ROOTS, VendorInternet
from tests.escape.vendor_words import ACCOUNT, DONE
from tests.escape.worlds import new_world
from tests.recipes import EVERY, secret_id

pytestmark = [pytest.mark.escape, pytest.mark.nightly]

FETCHED: Final = ROOT / "build/clients/agents"
PROGRAMS: Final = {
    "claude": "@anthropic-ai/claude-code-linux-x64/claude",
    "codex": "@openai/codex/vendor/x86_64-unknown-linux-musl/bin/codex",
    "gemini": "@google/gemini-cli/bundle/gemini.js",
    "copilot": "@github/copilot-linux-x64/copilot",
    "opencode": "opencode-linux-x64/bin/opencode",
}
# What a program looks at before it asks anybody: of a token of codex the claims.
BEGINNING: Final = {
    "claude-login": "sk-ant-oat01-",
    "codex-login": "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.",
    "copilot": "github_pat_",
    "gemini": "AIza",
    "gemini-login": "ya29.",
}
RUN: Final = [(recipe, each) for recipe, each in EVERY if recipe.name in PROGRAMS]


@pytest.fixture(scope="module")
def shared_world(programs: Path) -> Iterator[World]:
    """One daemon whose sandboxes see the agents' programs."""
    assert programs.is_dir()
    if not (FETCHED / ".ready").exists():
        pytest.skip("this machine lacks what `make nightly` fetches: agents")
    with new_world(f"tools: [{FETCHED}]\n", VendorInternet, ROOTS.certificate) as world:
        yield world


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The world of this file, in which nothing has arrived yet."""
    shared_world.internet.forget()
    for name in NAMES:
        shared_world.internet.zone[name] = [PUBLIC]
    yield shared_world
    log_out(shared_world)


def typed(world: World, work: Path, *words: str) -> tuple[int, str, str]:
    """Run one command line in the folder to its end."""
    process = world.command(*words[:1], "-C", str(work), *words[1:])
    out, err = process.communicate(b"", timeout=600)
    return process.returncode, out.decode(), err.decode()


def arrives_in_its_field(world: World, credential: Credential, value: str) -> None:
    """Each request carries the value once, in a field of the recipe, and no other place has it."""
    fields = {name.lower() for name in credential.fields}
    asked = [each for each in VendorInternet.asked if each.fields]
    assert asked
    for each in asked:
        assert each.host in credential.hosts
        assert value not in each.path
        places = [name for name, text in each.fields.items() if value in text]
        assert len(places) == 1, each
        assert fields.issuperset(places)
    assert not any(value in json.dumps(each.body) for each in VendorInternet.asked)
    # Nor have the bytes that arrived, in any form; messages of a WebSocket are masked in these.
    received = b"".join(bytes(each.received) for each in world.reached(port=443))
    assert received.count(value.encode()) == len(asked)
    without = received.replace(value.encode(), b"")
    assert Echoes([Word(value.encode(), b"found")]).replace(without) == without


def test_the_versions_are_those_that_the_recipes_name() -> None:
    wanted = json.loads((ROOT / "tools/clients/agents/package.json").read_text())["dependencies"]
    for recipe, _ in RUN:
        package, _, _ = PROGRAMS[recipe.name].rpartition("/")
        version = next(wanted[name] for name in wanted if package.startswith(name))
        assert version.removesuffix("-linux-x64") == recipe.version


@pytest.mark.parametrize(("recipe", "credential"), RUN, ids=secret_id)
def test_a_vendors_program_does_a_task(
    world: World, recipe: Recipe, credential: Credential
) -> None:
    value = f"{BEGINNING.get(credential.secret_id, 'sk-')}real-0123456789abcdefghijABCDEFGHIJ"
    log_in(world, credential, value, **{name: ACCOUNT for name, _ in credential.told})
    work = world.home.home / credential.secret_id
    subprocess.run(["/usr/bin/git", "init", "-q", str(work)], check=True)
    _, *words = shlex.split(recipe.command)
    program = str(FETCHED / "node_modules" / PROGRAMS[recipe.name])
    result = world.home.home / f"{credential.secret_id}.json"
    flags = ("--agent", recipe.name, "--result-file", str(result))
    status, out, err = typed(world, work, "exec", *flags, "--", program, *words)
    assert status == 0, out + err
    assert DONE in out

    arrives_in_its_field(world, credential, value)
    assert value not in out + err + world.read_audit()

    # What else it looked for stayed closed.
    audit = world.audit_of(json.loads(result.read_text())["sandbox_id"])
    denied = {line["name"] for line in audit if line.get("code")}
    refused = {name for name in denied if not name.startswith("registry.")}
    assert refused <= set(recipe.refused)

    assert "made.txt" in typed(world, work, "diff")[1]
    assert typed(world, work, "apply")[0] == 0
    assert (work / "made.txt").read_text() == "made"
