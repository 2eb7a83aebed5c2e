"""A person with a token, a policy that binds it, and what they see: never the token."""

import json
import os
import select
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.policy.capabilities import ALWAYS
from cleanroom.policy.demands import Capability
from tests.conftest import Home
from tests.daemon.daemons import DaemonThread, Setting
from tests.escape.egress_world import eventually
from tests.fakes import FakeBackend
from tests.flow.conftest import Done, Person
from tests.flow.test_terminal import Terminal

VALUE = "ghp_" + "Q7" * 18
PROVEN = frozenset({*ALWAYS, Capability.ISOLATION_NAMESPACES, Capability.SECRET_ISOLATION})
BINDING = "  - {id: forge, env: FORGE_TOKEN, allowed_hosts: [api.forge.example%s]}\n"
RULE = (
    "version: 1\nsandbox:\n  network:\n    default: deny\n    allow:\n"
    "      - host: api.forge.example\n        ports: [443]\nsecrets:\n"
)


class Owner(Person):
    """Somebody whose variable TOKEN holds a value."""

    def __init__(self, home: Home, daemon: DaemonThread) -> None:
        super().__init__(home, daemon)
        self.environment["TOKEN"] = VALUE
        self.binds()

    def binds(self, bindings: str = BINDING % "") -> None:
        """Write a policy with these bindings."""
        (self.folder / "cleanroom.yaml").write_text(RULE + bindings)

    @property
    def held(self) -> dict[tuple[str, str], bytes]:
        """What the gateway was given."""
        return self.setting.backend.gateway.secrets

    def runs(self, *flags: str, command: str = "env") -> Done:
        """Run a command that prints its environment."""
        done = self.types("exec", *flags, "--", command)
        assert VALUE not in done.out + done.err
        return done


def configured(folder: Path) -> str:
    """Return a configuration with a provider of each kind."""
    return f"""approvals: ask
secrets:
  forge: {{file: {folder / "value"}, hosts: [api.forge.example]}}
  asking: {{command: [sh, -c, 'cd {folder}; echo $$ > new; mv new asking; exec sleep 1000'],
           hosts: [api.forge.example]}}
  printed: {{command: [printf, '%s\\n', {VALUE}], hosts: [api.forge.example]}}
"""


@pytest.fixture
def owner(home: Home, short_path: Path) -> Iterator[Owner]:
    """Somebody whose operator says nothing of secrets."""
    folder = short_path / "daemon"
    folder.mkdir(mode=0o700)
    setting = Setting(folder, FakeBackend(proven=PROVEN), config_text="approvals: ask\n")
    with DaemonThread(setting) as daemon:
        yield Owner(home, daemon)


@pytest.fixture
def operator(home: Home, short_path: Path) -> Iterator[Owner]:
    """Somebody whose operator says where values are, and where they may go."""
    folder = short_path / "daemon"
    folder.mkdir(mode=0o700)
    (folder / "value").write_text(VALUE + "\n")
    setting = Setting(folder, FakeBackend(proven=PROVEN), config_text=configured(folder))
    with DaemonThread(setting) as daemon:
        yield Owner(home, daemon)


def test_a_value_reaches_the_gateway_and_its_placeholder_the_command(owner: Owner) -> None:
    done = owner.runs("--secret", "forge=TOKEN@api.forge.example")
    assert done.status == 0, done.err
    ((_, secret_id), value) = next(iter(owner.held.items()))
    assert (secret_id, value) == ("forge", VALUE.encode())
    line = next(line for line in done.out.splitlines() if line.startswith("FORGE_TOKEN="))
    assert line.startswith("FORGE_TOKEN=ghp_")
    assert "TOKEN=" not in [line[:6] for line in done.out.splitlines()]


def test_a_first_run_does_not_approve_a_host_for_a_value(owner: Owner) -> None:
    refused = owner.runs("--secret", "forge=TOKEN")
    assert (refused.status, refused.out) == (125, "")
    assert "nobody approved here that 'forge' goes to api.forge.example" in refused.err
    assert "code: approval_required" in refused.err
    assert not owner.held
    assert "not approved yet: secret forge to" in owner.types("policy", "approve", "--check").out
    approved = owner.types("policy", "approve", "--yes")
    assert (approved.status, approved.out.splitlines()[-1][:9]) == (0, "approved:")
    assert owner.runs("--secret", "forge=TOKEN").status == 0
    assert owner.types("policy", "approve", "--check").out.count("not approved yet") == 0


def test_a_host_for_one_run_is_not_approved_for_the_next(owner: Owner) -> None:
    assert owner.runs("--secret", "forge=TOKEN@api.forge.example").status == 0
    assert owner.runs("--secret", "forge=TOKEN").status == 125
    assert owner.runs("--secret", "forge=TOKEN@api.forge.example").status == 0


def test_a_hash_that_a_person_names_approves_the_bindings_too(owner: Owner) -> None:
    report = json.loads(owner.types("policy", "validate", "--json").out)
    owner.environment["CLEANROOM_APPROVED_POLICY"] = report["policy_hash"]
    assert owner.runs("--secret", "forge=TOKEN").status == 0


@pytest.mark.parametrize("attack", ["host", "elsewhere", "narrower and back"])
def test_what_was_not_approved_gets_no_value(owner: Owner, attack: str) -> None:
    assert owner.types("policy", "approve", "--yes").status == 0
    assert owner.runs("--secret", "forge=TOKEN").status == 0
    given = len(owner.held)
    if attack == "host":
        owner.binds(BINDING % ", evil.test")
    elif attack == "narrower and back":
        owner.binds("  []\n")
        assert owner.types("exec", "--", "true").status == 0
        owner.binds()
    else:
        place = owner.folder.parent / "other"
        owner.folder.rename(place)
        owner.folder = place  # the fakes tell folders by their path alone
    refused = owner.runs("--secret", "forge=TOKEN")
    assert (refused.status, refused.out) == (125, "")
    assert "approval_required" in refused.err
    assert len(owner.held) == given


def test_somebody_at_a_terminal_is_asked_before_a_value_is_read(owner: Owner) -> None:
    owner.environment["TOKEN"] = "short"  # noqa: S105
    terminal = Terminal(owner, "exec", "--secret", "forge=TOKEN", "--", "env")
    try:
        terminal.see(b"not approved yet: secret forge to api.forge.example")
        terminal.see(b"[y/N]")
        assert b"fewer than" not in terminal.shown
        os.write(terminal.keyboard, b"y\n")
        terminal.see(b"it has fewer than 8 bytes")
        assert terminal.end() == 125
    finally:
        terminal.close()


def test_whoever_is_asked_may_leave_at_once(owner: Owner) -> None:
    terminal = Terminal(owner, "exec", "--secret", "forge=TOKEN", "--", "env")
    try:
        terminal.see(b"[y/N]")
        os.write(terminal.keyboard, b"\x03")
        assert terminal.end() == 130
    finally:
        terminal.close()
    assert owner.setting.backend.sandboxes == []


def test_a_program_that_asks_is_said_and_ends_with_whoever_waits_for_it(operator: Owner) -> None:
    operator.binds(BINDING.replace("forge,", "asking,") % "")
    terminal = Terminal(operator, "exec", "--", "env")
    try:
        terminal.see(b"waiting for 'asking' (command sh)")
        # The line comes by a timer, whether or not the program has begun.
        asking = operator.setting.folder / "asking"
        assert eventually(asking.exists, 60)
        provider = os.pidfd_open(int(asking.read_text()))
        os.write(terminal.keyboard, b"\x03")
        assert terminal.end() == 130
        assert select.select([provider], [], [], 60)[0]  # it is over
        os.close(provider)
    finally:
        terminal.close()
    assert operator.setting.backend.sandboxes == []


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "the variable is not set"),
        ("", "it is empty"),
        ("1234567", "fewer than 8 bytes"),
        ("12345678\n", "a line end"),
        ("x" * 20_000, "more than 16384 bytes"),
    ],
)
def test_a_value_that_cannot_be_used_starts_nothing(
    owner: Owner, value: str | None, why: str
) -> None:
    del owner.environment["TOKEN"]
    if value is not None:
        owner.environment["TOKEN"] = value
    refused = owner.runs("--secret", "forge=TOKEN@api.forge.example")
    assert (refused.status, refused.out) == (125, "")
    assert why in refused.err
    assert "code: secret_unavailable" in refused.err
    assert owner.setting.backend.sandboxes == []
    owner.binds(BINDING.replace("env:", "required: false, env:") % "")
    done = owner.runs("--secret", "forge=TOKEN@api.forge.example")
    assert done.status == 0
    assert "it runs without" in done.err
    assert "FORGE_TOKEN" not in done.out


def test_without_a_word_where_the_value_is_nothing_starts(owner: Owner) -> None:
    assert owner.types("policy", "approve", "--yes").status == 0
    refused = owner.runs()
    assert refused.status == 125
    assert "nothing says where its value is" in refused.err
    assert "--secret forge=VARIABLE" in refused.err


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--secret", "other=TOKEN"], "the policy binds none of this id"),
        (["--secret", "forge=TOKEN@evil.test"], "it binds: api.forge.example"),
        (["-e", "FORGE_TOKEN=1", "--secret", "forge=TOKEN"], "cannot set FORGE_TOKEN"),
    ],
)
def test_flags_that_do_not_fit_are_refused(owner: Owner, flags: list[str], why: str) -> None:
    refused = owner.runs(*flags)
    assert refused.status == 125
    assert why in refused.err


def test_a_value_in_place_of_a_name_is_not_repeated(owner: Owner) -> None:
    assert owner.types("policy", "approve", "--yes").status == 0
    refused = owner.runs("--secret", f"forge={VALUE}")
    assert refused.status == 125
    assert "(--secret): the variable is not set" in refused.err


@pytest.mark.parametrize("flag", [VALUE, f"forge={VALUE}!", "forge=fd:1", "forge=A@b c"])
def test_a_flag_that_cannot_be_read_is_not_repeated(owner: Owner, flag: str) -> None:
    refused = owner.runs("--secret", flag)
    assert refused.status == 2
    assert "write --secret ID=VARIABLE" in refused.err


def test_a_sandbox_that_is_used_again_keeps_its_values(owner: Owner) -> None:
    assert owner.runs("--reuse", "--secret", "forge=TOKEN@api.forge.example").status == 0
    del owner.environment["TOKEN"]
    again = owner.runs("--reuse")
    assert again.status == 0, again.err
    assert "FORGE_TOKEN=ghp_" in again.out
    assert len(owner.held) == 1
    assert "--secret is not read" in owner.runs("--reuse", "--secret", "forge=OTHER").err
    assert owner.runs("--reuse", "--recreate").status == 125


def test_a_descriptor_is_read_to_its_end(owner: Owner) -> None:
    reader, writer = os.pipe()
    os.write(writer, VALUE.encode() + b"\n")
    os.close(writer)
    process = subprocess.run(
        [*owner.program, "exec", "--secret", f"forge=fd:{reader}@api.forge.example", "--", "env"],
        cwd=owner.folder, env=owner.environment, pass_fds=(reader,), capture_output=True,
        check=False, timeout=60,
    )  # fmt: skip
    os.close(reader)
    assert process.returncode == 0, process.stderr
    assert list(owner.held.values()) == [VALUE.encode()]


def test_the_operator_names_providers_and_hosts(operator: Owner) -> None:
    done = operator.runs()
    assert done.status == 0, done.err
    assert list(operator.held.values()) == [VALUE.encode()]
    operator.binds(BINDING.replace("forge,", "printed,") % "")
    assert operator.types("policy", "approve", "--yes").status == 0
    assert operator.runs().status == 0
    assert list(operator.held.values()) == [VALUE.encode()] * 2
    operator.binds(BINDING % ", evil.test")
    assert operator.types("exec", "--", "true").status == 125


def test_what_the_operator_allows_is_not_for_a_value_of_another_source(operator: Owner) -> None:
    assert operator.runs("--secret", "forge=TOKEN").status == 125


def test_a_flag_names_a_host_for_the_operators_value(operator: Owner) -> None:
    operator.binds(BINDING.replace("env:", "in: [json], env:") % "")
    assert operator.runs().status == 125
    assert operator.runs("--secret", "forge@api.forge.example").status == 0
    assert list(operator.held.values()) == [VALUE.encode()]


def test_a_plan_reads_no_value_and_says_where_its_placeholder_goes(owner: Owner) -> None:
    del owner.environment["TOKEN"]
    planned = owner.types("exec", "--dry-run", "--", "true")
    assert planned.status == 0, planned.err
    assert "FORGE_TOKEN\": \"(the placeholder of 'forge')" in planned.out
    assert owner.types("exec", "--dry-run", "-e", "FORGE_TOKEN=1", "--", "true").status == 125


def test_sandboxes_are_created_with_values(operator: Owner) -> None:
    made = operator.types("sandboxes", "create", "dev")
    assert made.status == 0, made.err
    assert "FORGE_TOKEN=ghp_" in operator.types("exec", "--sandbox", "dev", "--", "env").out
    assert len(operator.held) == 1


def test_secrets_are_listed_and_checked_and_never_shown(operator: Owner) -> None:
    operator.binds(BINDING % "" + "  - {id: none, env: NONE, allowed_hosts: [a.example]}\n")
    listed = operator.types("secrets", "list")
    assert listed.status == 0, listed.err
    assert [line.split()[0] for line in listed.out.splitlines()] == ["ID", "forge", "none"]
    assert "file /" in listed.out
    checked = operator.types("secrets", "check")
    assert checked.status == 1
    assert "forge: its value can be used" in checked.out
    assert "none: cannot use the secret 'none'" in checked.out
    as_json = json.loads(operator.types("secrets", "check", "--json").out)["secrets"]
    assert [bool(each["problem"]) for each in as_json] == [False, True]
    said = listed.out + listed.err + checked.out + checked.err
    assert VALUE not in said + operator.types("secrets", "list", "--json").out


def test_a_pasted_credential_is_told_how_to_be_bound(owner: Owner) -> None:
    owner.binds("  []\n")
    done = owner.types("exec", "-e", f"GH_TOKEN={VALUE}", "--", "true")
    assert "secrets: [{id: gh-token, env: GH_TOKEN, allowed_hosts: [HOST]}]" in done.err
    assert VALUE not in done.err


def test_nothing_that_a_run_leaves_holds_the_value(operator: Owner) -> None:
    assert operator.runs("--keep").status == 0
    operator.types("secrets", "check")
    operator.types("status", "--json")
    setting, needle = operator.setting, VALUE.encode()
    kept = {setting.folder / "value", setting.paths.config}  # where the operator wrote it
    found = {path for path in files_below(setting.folder.parent) if needle in read(path)}
    assert found == kept  # the search finds what is there


def files_below(folder: Path) -> list[Path]:
    """Return every regular file."""
    return [path for path in folder.rglob("*") if stat.S_ISREG(path.lstat().st_mode)]


def read(path: Path) -> bytes:
    """Return what a file holds now."""
    return path.read_bytes()
