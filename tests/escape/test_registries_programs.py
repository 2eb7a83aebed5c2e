"""Other people's programs against a registry: each works without a network rule, trusts the
sandbox's authority by itself, and shows of a refusal what docs/registries.md says.

`make clients` fetches those that the machine lacks, `make nightly` the large ones too. npm, pip,
cargo, go and git have files of their own.
"""

import json
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import ROOT
from tests.escape.registry_internet import (
    Package,
    Project,
    Reply,
    packument,
    tarball,
    unique,
)
from tests.escape.registry_world import NPM, PYPI, Registries

pytestmark = pytest.mark.escape

FETCHED: Final = ROOT / "build" / "clients"
PRELUDE: Final = """
import os, subprocess
os.makedirs("/tmp/work")
def run(line):
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=110,
                          cwd="/tmp/work")
    return [done.returncode, done.stdout + done.stderr]
"""

# SPEC is name@version; the registry is npm.test
NPM_CLIENTS: Final = {
    "pnpm": "node /day/node_modules/pnpm/bin/pnpm.cjs add --registry https://npm.test/ SPEC",
    "yarn 1": "node /day/node_modules/yarn/bin/yarn.js add --registry https://npm.test/ SPEC",
    "yarn 4": "touch yarn.lock; YARN_NPM_REGISTRY_SERVER=https://npm.test "
    "node /day/node_modules/@yarnpkg/cli-dist/bin/yarn.js add SPEC",
    "bun": "/night/node_modules/@oven/bun-linux-x64/bin/bun add --registry https://npm.test/ SPEC",
}
_PROJECT: Final = """cat > pyproject.toml <<'END'
[project]
name = "work"
version = "1.0"
requires-python = ">=3.9"
dependencies = ["NAME"]
[[tool.TOOL.source]]
name = "pypi"
url = "https://index.test/simple/"
END
PYTHONPATH=/night/python """
_JAVA: Final = """
import java.net.*;
public class Fetch {
  public static void main(String[] args) throws Exception {
    var asked = (HttpURLConnection) new URL(args[0]).openConnection();
    System.out.println(asked.getResponseCode() + " " + asked.getResponseMessage());
    asked.getInputStream().readAllBytes();
  }
}
"""
# NAME is the project, FILE the path of its wheel
PYPI_CLIENTS: Final = {
    "pip 24.1": "PYTHONPATH=/day/pip python3 -m pip install --no-cache-dir --target to "
    "--index-url https://index.test/simple NAME",
    "uv": "/day/python/bin/uv pip install --target to --python /usr/bin/python3 "
    "--index-url https://index.test/simple NAME",
    "poetry": _PROJECT.replace("TOOL", "poetry").replace("pypi", "index")
    + "python3 -m poetry lock -n",
    "pdm": _PROJECT.replace("TOOL", "pdm") + "python3 -m pdm lock",
    "requests": "PYTHONPATH=/day/python python3 -c 'import requests as r;"
    ' r.get("https://files.testFILE").raise_for_status()\'',
    "httpx": "PYTHONPATH=/day/python python3 -c 'import httpx as r;"
    ' r.get("https://files.testFILE").raise_for_status()\'',
    "urllib": "python3 -c 'import urllib.request as r; r.urlopen(\"https://files.testFILE\")'",
    "node": 'node -e \'fetch("https://files.testFILE").then((answer) => {'
    " if (!answer.ok) throw Error(answer.statusText) })'",
    "curl": "curl -sS --fail-with-body -D - -o body https://files.testFILE",
    "Java": f"cat > Fetch.java <<'END'\n{_JAVA}END\njava Fetch.java https://files.testFILE",
}
# What they show of a refusal beside exec's own lines: "" nothing but its number.
REASONS: Final = {"yarn 1": "", "bun": "", "uv": "lockfile_violation, "}


def clients(commands: dict[str, str]) -> list[object]:
    """Return the clients, those of the night marked so."""
    night = [pytest.mark.nightly]
    return [
        pytest.param(name, marks=night if "/night/" in line else [], id=name)
        for name, line in commands.items()
    ]


def folders_of(line: str) -> tuple[str, ...]:
    """Return the flags that show a sandbox the folders which a command needs."""
    flags: list[str] = []
    for name in ("day", "night"):
        if f"/{name}/" not in line:
            continue
        if not (FETCHED / name).is_dir():
            pytest.skip(f"this machine lacks what `make clients` or `make nightly` fetch: {name}")
        flags += ["--mount", f"{FETCHED / name}:/{name}"]
    for word, program in (("node", "node"), ("curl", "curl"), ("java", "javac")):
        if f"{word} " in line and not Path("/usr/bin", program).exists():
            pytest.skip(f"this machine lacks {program}")
    return tuple(flags)


def judge(said: list[list[object]], client: str, sentence: str) -> None:
    """The first command works, the second is refused and says why."""
    (good, good_said), (bad, bad_said) = said
    assert good == 0, good_said
    assert bad != 0, bad_said
    assert "403" in str(bad_said) or client == "node"
    reason = REASONS.get(client, "lockfile_violation: ")
    assert (f"{reason}{sentence}" in str(bad_said)) is bool(reason), bad_said


@pytest.mark.parametrize("client", clients(NPM_CLIENTS))
def test_a_client_of_npm_works_and_says_what_it_was_refused(
    outside: Registries, client: str
) -> None:
    pad = Package(unique("pad"))
    newer = tarball(pad.name, "1.3.1")
    page = json.loads(packument(pad.name, {"1.3.0": pad.data, "1.3.1": newer}))
    page["time"] = dict.fromkeys(("1.3.0", "1.3.1"), "2020-01-01T00:00:00Z")  # yarn wants to know
    body = json.dumps(page).encode()
    outside.script.answers(f"npm.test/{pad.name}", Reply(body, kind="application/json"))
    outside.script.answers(pad.place, Reply(pad.data))
    line = NPM_CLIENTS[client]
    lines = [line.replace("SPEC", f"{pad.name}@{version}") for version in ("1.3.0", "1.3.1")]
    manifest = json.dumps({"name": "work", "version": "1.0.0"})
    program = f"""{PRELUDE}
open("/tmp/work/package.json", "w").write({manifest!r})
result = [run(line) for line in {lines!r}]
"""
    said = outside.run(NPM, program, pad.lock, flags=folders_of(line))
    judge(said.result, client, f"{pad.name} 1.3.1 is not in package-lock.json")
    assert [event["artifact"] for event in said.denials("lockfile_violation")][:1] == [
        f"{pad.name} 1.3.1"
    ]


def test_a_repository_that_has_only_a_yarn_lock_is_installed_from_that(
    outside: Registries,
) -> None:
    """Under a policy that names the lock files of two clients, as many repositories share."""
    pad, other = Package(unique("pad")), Package(unique("other"))
    outside.script.answers(pad.place, Reply(pad.data))
    lock = f"""# yarn lockfile v1


{pad.name}@^1.0.0:
  version "{pad.version}"
  resolved "https://{pad.place}"
  integrity {pad.entry["integrity"]}
"""
    manifest = json.dumps(
        {"name": "work", "version": "1.0.0", "dependencies": {pad.name: "^1.0.0"}}
    )
    program = f"""{PRELUDE}
import shutil
shutil.copy("package.json", "/tmp/work")
shutil.copy("yarn.lock", "/tmp/work")
result = [run("node /day/node_modules/yarn/bin/yarn.js install --frozen-lockfile"),
          open("/tmp/work/node_modules/{pad.name}/package.json").read(),
          open("/tmp/work/yarn.lock").read(),
          run("curl -sS -o /dev/null -w '%{{http_code}}' https://{other.place}")[1]]
"""
    policy = NPM.replace("[package-lock.json]", "[package-lock.json, yarn.lock]")
    files = {"package.json": manifest, "yarn.lock": lock}
    flags = folders_of("node curl /day/ ")
    said = outside.world.run(policy, program, *flags, files=files)
    (status, text), installed, after, refused = said.result
    assert status == 0, text
    assert json.loads(installed)["name"] == pad.name
    assert (after, refused) == (lock, "403")
    (line,) = [event for event in said.audit if event["phase"] == "served"]
    assert line["pin"] == "yarn.lock:4"
    assert outside.script.count(other.place) == 0


@pytest.mark.parametrize("client", clients(PYPI_CLIENTS))
def test_a_client_of_an_index_works_and_says_what_it_was_refused(
    outside: Registries, client: str
) -> None:
    locked, other = Project(unique("some_pkg")), Project(unique("other_pkg"))
    for each in (locked, other):
        outside.script.answers(f"index.test/simple/{each.name}/", each.page)
        outside.script.answers(f"files.test{each.file}", Reply(each.wheel))
    line = PYPI_CLIENTS[client]
    lines = [line.replace("NAME", each.name).replace("FILE", each.file) for each in (locked, other)]
    program = f"{PRELUDE}\nresult = [run(line) for line in {lines!r}]"
    said = outside.run(PYPI, program, locked.lock, flags=folders_of(line))
    judge(said.result, client, f"{other.name} 1.0 is not in requirements.txt")
    assert {event["artifact"] for event in said.denials("lockfile_violation")} == {
        f"{other.name} 1.0"
    }
    assert outside.script.count(f"files.test{other.file}") == 0
