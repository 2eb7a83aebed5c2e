"""The real mise with hostile files, in a world without a network of its own. Promises M1 to M5.

The tool is two bytes that good.test serves: what counts is who asks for it, and where it is kept.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.escape.egress_world import World, policy
from tests.escape.mirror_world import BEARER, TOKEN, mirrors
from tests.escape.registry_internet import (
    ROOTS,
    RegistryInternet,
    Reply,
    packument,
    tarball,
    unique,
)
from tests.escape.registry_world import registry_policy
from tests.escape.worlds import new_world

PORT = "good.test:80"
TOOL = '[tools."http:hello"]\nversion = "1.0.0"\nurl = "http://good.test/hello"\nbin = "hello"\n'
WHERE = "/opt/cleanroom/mise/installs/http-hello/1.0.0/hello\n"


class Repository:
    """A workspace with mise files."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder

    def has(self, **files: str) -> None:
        """Write `mise_toml` as mise.toml and so on."""
        for name, text in files.items():
            (self.folder / name.replace("_", ".")).write_text(text)

    def allows(self, *rules: str, mise: str = "") -> None:
        """Write cleanroom.yaml."""
        text = policy(*rules)
        (self.folder / "cleanroom.yaml").write_text(text + (f"  mise: {mise}\n" if mise else ""))

    def types(self, *words: str) -> tuple[int, str, str]:
        """Run `cleanroom exec`; status, output, what was told."""
        process = self.world.command("exec", "-C", str(self.folder), "--", *words)
        out, err = process.communicate(timeout=28)
        return process.returncode, out.decode(), err.decode()

    def prints(self, *words: str) -> str:
        """Run a command that must end well; its output."""
        status, out, err = self.types(*words)
        assert status == 0, err
        return out

    def asked(self) -> int:
        """How many connections reached the outside since the last look."""
        count = len(self.world.reached())
        self.world.internet.forget()
        return count


def default_registry() -> str:
    """Return the host that npm and mise ask where nobody has said another."""
    with tempfile.TemporaryDirectory() as home:
        asked = subprocess.run(
            ("/usr/bin/npm", "config", "get", "registry", "--globalconfig=/dev/null"),
            env={"PATH": "/usr/bin:/bin", "HOME": home},
            capture_output=True,
            text=True,
            check=True,
        )
    return urlsplit(asked.stdout.strip()).hostname or ""


@pytest.fixture(scope="module")
def mise_world(programs: Path, mise_program: Path) -> Iterator[World]:
    """A daemon whose host has the real mise."""
    assert programs.is_dir()
    with tempfile.TemporaryDirectory(prefix="cr", dir="/tmp") as folder:
        token = Path(folder, "token")
        token.write_text(TOKEN)
        asked_at = "url: https://private.test/api/npm, auth: company"
        npm = mirrors(token, **{default_registry(): asked_at})
        config = f"approvals: notice\nmise:\n  program: {mise_program}\n{npm}"
        with new_world(config, RegistryInternet, ROOTS.certificate) as world:
            yield world


@pytest.fixture
def repository(mise_world: World) -> Repository:
    mise_world.internet.forget()
    made = Repository(mise_world, Path(tempfile.mkdtemp(dir=mise_world.home.home)))
    made.folder.chmod(0o755)
    made.allows(PORT)
    return made


def test_tools_are_installed_once_and_the_second_run_asks_nobody(repository: Repository) -> None:
    repository.has(_mise_toml=TOOL + '[env]\nGREETING = "hello"\n')
    command = "echo $GREETING; command -v hello"
    assert repository.prints(command) == f"hello\n{WHERE}"
    assert repository.asked() == 1
    assert repository.prints(command) == f"hello\n{WHERE}"
    assert repository.prints("mise", "exec", "--", "sh", "-c", "command -v hello") == WHERE
    assert (repository.asked(), repository.world.internet.queries) == (0, [])


def test_a_tool_of_npm_comes_from_the_operators_mirror(repository: Repository) -> None:
    """The sandbox that installs it is asked at the mirror as any other is; its token stays out."""
    name = unique("corporate_tool")
    data = tarball(name, "1.0.0", bin="index.js")
    page = json.loads(packument(name, {"1.0.0": data}, "private.test/api/npm"))
    page["versions"]["1.0.0"]["bin"] = {name: "index.js"}
    page["time"] = {"1.0.0": "2020-01-01T00:00:00Z"}  # too old for mise to fear it
    paged = Reply(json.dumps(page).encode(), kind="application/json", only=(BEARER,))
    script = RegistryInternet.script
    script.answers(f"private.test/api/npm/{name}", paged)
    file = f"private.test/api/npm/{name}/-/{name}-1.0.0.tgz"
    script.answers(file, Reply(data, only=(BEARER,)))
    text = registry_policy(hosts=default_registry(), mode="")
    (repository.folder / "cleanroom.yaml").write_text(text)
    repository.has(mise_toml=f'[tools]\n"npm:{name}" = "1.0.0"\n')
    for _ in range(2):
        assert f"npm-{name.replace('_', '-')}/1.0.0" in repository.prints(f"command -v {name}")
    assert script.count(file) == 1
    assert {each.host for each in script.asked} == {"private.test"}
    assert TOKEN not in repository.prints("env; cat ~/.npmrc 2>/dev/null; true")


def test_another_policy_shares_nothing(repository: Repository) -> None:
    repository.has(mise_toml=TOOL)
    repository.prints("true")
    repository.allows(PORT, "else.test:80")
    assert repository.asked() == 1
    repository.prints("true")
    assert repository.asked() == 1


def test_a_command_does_not_change_what_the_next_one_finds(repository: Repository) -> None:
    repository.has(mise_toml=TOOL)
    change = "echo evil > $(command -v hello); cat $(command -v hello); touch $MISE_DATA_DIR/new"
    assert repository.prints(change) == "evil\n"
    assert (
        repository.prints("cat $(command -v hello); ls $MISE_DATA_DIR/new 2>&1 | wc -l") == "ok1\n"
    )
    assert "No such file" in repository.prints("ls $MISE_DATA_DIR/new 2>&1; true")


def test_the_host_runs_nothing_of_the_files(repository: Repository) -> None:
    trace = repository.world.home.home / "trace"
    inside = repository.folder / "trace"
    leave = f"id -un | tee -a {trace} {inside} 2>/dev/null"
    repository.has(
        mise_toml=f"""{TOOL}
[env]
WHO = "{{{{ exec(command='{leave}') }}}}"
[hooks]
preinstall = "{leave}"
postinstall = "{leave}"
enter = "{leave}"
[tasks.leave]
run = "{leave}"
"""
    )
    assert repository.prints(f"mise run leave >&2; cat {inside}; echo $WHO").endswith("cleanroom\n")
    assert not trace.exists()
    assert not inside.exists()


def test_only_files_of_the_workspace_are_trusted(repository: Repository) -> None:
    repository.has(mise_toml='[env]\nA = "trusted"\n')
    elsewhere = "mkdir /tmp/x; cp /workspace/mise.toml /tmp/x; cd /tmp/x; env -u CI -u A mise env"
    status, out, err = repository.types(elsewhere)
    assert (status, out, "not trusted" in err) == (1, "", True), err
    assert "A=trusted" in repository.prints("env -u CI -u A mise env")


def test_only_the_files_that_the_policy_names_count(repository: Repository) -> None:
    repository.allows(PORT, mise="{enabled: true, config_files: [tools.toml]}")
    repository.has(mise_toml='[env]\nA = "unnamed"\n', tools_toml='[env]\nB = "named"\n')
    assert repository.prints("echo $A$B") == "named\n"


def test_disabled_and_without_bootstrap_nothing_is_applied(repository: Repository) -> None:
    repository.has(mise_toml=TOOL + '[env]\nA = "b"\n')
    repository.allows(PORT, mise="{enabled: false}")
    assert repository.prints("echo .$A$MISE_DATA_DIR; command -v mise || true") == ".\n"
    repository.allows(PORT, mise="{auto_bootstrap: false}")
    assert repository.prints("echo .$A; command -v hello || command -v mise") == (
        ".\n/opt/cleanroom/bin/mise\n"
    )
    assert repository.asked() == 0
    assert repository.prints("mise exec -- sh -c 'command -v hello'") == WHERE


def test_a_host_that_the_policy_does_not_allow_stops_the_run(repository: Repository) -> None:
    repository.has(mise_toml=TOOL)
    repository.allows("else.test:80")
    status, out, err = repository.types("echo ran")
    assert (status, out) == (125, "")
    assert "the policy refuses good.test" in err
    assert repository.asked() == 0


def test_what_the_lock_lacks_fails_before_it_is_fetched(repository: Repository) -> None:
    repository.has(mise_toml=TOOL, mise_lock="")
    status, out, err = repository.types("echo ran")
    assert (status, out, "is not in the lockfile" in err) == (125, "", True), err
    assert repository.asked() == 0
