"""Recipes of coding agents in real sandboxes, before a server that shows their vendor's name.

The request is made as the vendor's client libraries make it. The agents' own programs, a gigabyte,
are run by test_agents_programs.py.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.policy.agent_recipes import Credential, Recipe
from tests.escape import test_secrets
from tests.escape.echo_internet import AGENT_HOSTS, ROOTS, EchoInternet
from tests.escape.egress_world import PUBLIC, World
from tests.escape.logins import log_in, log_out
from tests.escape.traces import Searched
from tests.escape.worlds import new_world
from tests.recipes import EVERY, secret_id

pytestmark = pytest.mark.escape

TOOLS = test_secrets.TOOLS.replace('os.environ["TOKEN"]', '""')

VALUE = "sk-real-" + os.urandom(17).hex()  # no other run of the tests has it


@pytest.fixture(scope="module")
def shared_world(programs: Path) -> Iterator[World]:
    """One daemon whose operator says nothing of secrets."""
    assert programs.is_dir()
    with new_world("", EchoInternet, ROOTS.certificate) as world:
        yield world


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The world of this file, in which nothing has arrived yet."""
    shared_world.internet.forget()
    for name in AGENT_HOSTS:
        shared_world.internet.zone[name] = [PUBLIC]
    yield shared_world
    log_out(shared_world)


@pytest.mark.parametrize(("recipe", "credential"), EVERY, ids=secret_id)
def test_an_agents_request_arrives_with_the_value_in_its_header(
    world: World, recipe: Recipe, credential: Credential
) -> None:
    told = {name: f"told-{name}" for name, _ in credential.told}
    log_in(world, credential, VALUE, **told)
    environment = (*recipe.environment, *credential.environment)
    files = [each.path for each in credential.files]
    texts = {name: ("Bearer " if name == "Authorization" else "") for name in credential.fields}
    said = world.run(
        None,
        f"""{TOOLS}
holder = os.environ[{credential.variable!r}]
os.makedirs({recipe.home!r} + "/kept", exist_ok=True)
answers = [
    ask(host, headers={{name: scheme + holder}})
    for host in {credential.hosts!r} for name, scheme in {texts!r}.items()
]
variables = [os.environ[name] for name in {[name for name, _ in environment]!r}]
found = [[open(path).read(), os.stat(path).st_mode] for path in {files!r}]
result = [holder, answers, variables, found]
""",
        "--agent",
        recipe.name,
    )
    holder, answers, variables, found = said.result
    assert {answer[0] for answer in answers} == {200}, said.audit
    assert variables == [value for _, value in environment]
    for file, (text, mode) in zip(credential.files, found, strict=True):
        assert mode & 0o777 == 0o600
        assert ("${" not in file.text) or holder[-20:] in text
        assert all(f"told-{name}" in text for name, _ in credential.told if name in file.text)
    received = b"".join(bytes(each.received).lower() for each in world.reached())
    for name, scheme in texts.items():
        wanted = f"\r\n{name}: {scheme}{VALUE}\r\n".lower().encode()
        assert received.count(wanted) == len(credential.hosts)
    assert received.count(VALUE.lower().encode()) == len(answers)
    assert VALUE not in json.dumps([said.result, said.audit]) + said.stderr
    assert holder in answers[0][3]
    log_out(world)
    assert Searched(world, VALUE.encode()).found() == []  # neither a home nor a file written there


def test_without_a_login_nothing_starts(world: World) -> None:
    running = world.start(None, f"{TOOLS}\nresult = 1", "--agent", "gemini")
    _, err = running.process.communicate(timeout=120)
    assert running.process.returncode == 125
    assert b"secret_unavailable" in err
    assert b"nothing says where its value is" in err
    assert b"set GEMINI_API_KEY, or --secret gemini=VARIABLE" in err


def test_other_hosts_stay_closed_and_nothing_of_the_recipe_is_approved(world: World) -> None:
    world.home.variables["GEMINI_API_KEY"] = VALUE
    program = f"{TOOLS}\nresult = [ask('api.openai.com')[0], sorted(os.environ)]"
    said = world.run("version: 1\n", program, "--agent", "gemini")
    assert said.result[0] == 0
    assert said.denials("host_not_allowed")
    again = world.run("version: 1\n", program)
    assert again.result[0] == 0
    assert "GEMINI_API_KEY" not in again.result[1]


def test_what_an_earlier_command_left_in_the_volume_leads_nowhere(world: World) -> None:
    world.home.variables["OPENAI_API_KEY"] = VALUE
    work = world.home.home / "left"
    work.mkdir()

    def run(script: str) -> tuple[int, str]:
        words = (
            "exec",
            "-C",
            str(work),
            "--agent",
            "codex",
            "--",
            "sh",
            "-c",
            f"cd ~/.codex; {script}",
        )
        process = world.command(*words)
        _, err = process.communicate(timeout=120)
        return process.returncode, err.decode()

    leave = "rm *; ln -s /workspace/elsewhere auth.json && mkfifo config.toml"
    assert run(leave)[0] == 0
    found = "test ! -L auth.json -a -f auth.json -a -p config.toml -a ! -e /workspace/elsewhere"
    status, said = run(f"{found} && rm auth.json && mkdir auth.json")
    assert status == 0, said
    status, said = run("true")
    assert status == 125
    assert "cannot write the agent's file /home/cleanroom/.codex/auth.json" in said
