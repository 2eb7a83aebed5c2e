"""From a policy to a spec, and from words to a command."""

from dataclasses import replace

import pytest

from cleanroom.errors import Code, UserError
from cleanroom.policy.demands import Capability, Limits
from cleanroom.policy.model import (
    CompiledPolicy,
    NetworkPolicy,
    RegistryPolicy,
    Rule,
    RuleKind,
    SandboxPolicy,
)
from cleanroom.sandbox.build import CommandOptions, build_spec, command_for, folder_inside
from cleanroom.sandbox.environment import build_environment
from cleanroom.sandbox.host import (
    AUTHORITY,
    CA_BUNDLE,
    ClientEnvironment,
    HostFacts,
    WorkspaceView,
    trusting,
)
from cleanroom.sandbox.spec import Command, File, Overlay
from cleanroom.sandbox.view import build_mounts

HOST = HostFacts(("/usr",), (), (), b"")
VIEW = WorkspaceView("/r", (Overlay(("/workspace", "/r"), ("/r",), "/u", "/w"),))
ENVIRONMENT = (("PATH", "/usr/bin"),)


def test_a_spec_holds_all_that_was_decided() -> None:
    policy = CompiledPolicy(
        "sha256:0",
        "cleanroom.yaml",
        sandbox=SandboxPolicy(limits=Limits(pids=10)),
        required_capabilities=(Capability.LIMIT_PIDS,),
    )
    client = ClientEnvironment(term="xterm")
    spec = build_spec(policy, "sbx_1", VIEW, HOST, client)
    assert (spec.sandbox_id, spec.hostname, spec.cwd) == ("sbx_1", "cleanroom", "/workspace")
    assert spec.limits == Limits(pids=10)
    assert spec.needs == {Capability.LIMIT_PIDS}
    assert spec.mounts == build_mounts(HOST, VIEW)
    assert spec.environment == build_environment(client)
    assert (spec.uid, spec.gid) == (1000, 1000)


def test_npm_trusts_the_sandboxs_authority_alone_where_it_can_meet_no_other() -> None:
    npm = RegistryPolicy("npm", enabled=True, allowed_hosts=("npm.test",))
    opened = CompiledPolicy("sha256:0", "", registries=(npm,))
    beside = replace(opened, network=NetworkPolicy((Rule(RuleKind.EXACT, "a.test", (443,)),)))
    host = trusting(HOST, "own\n")

    def trust(policy: CompiledPolicy, host: HostFacts) -> str:
        spec = build_spec(policy, "sbx_1", VIEW, host, ClientEnvironment())
        return dict(spec.environment)["npm_config_cafile"]

    assert trust(opened, host) == AUTHORITY
    assert File(b"own\n", AUTHORITY) in build_mounts(host, VIEW)
    assert trust(beside, host) == CA_BUNDLE
    assert trust(opened, HOST) == CA_BUNDLE


@pytest.mark.parametrize(
    ("words", "argv"),
    [
        (("npm test",), ("/bin/sh", "-c", "npm test")),
        (("npm", "test"), ("npm", "test")),
        (("echo", "$HOME; x"), ("echo", "$HOME; x")),
    ],
)
def test_one_word_goes_to_the_shell_and_several_are_an_argv(
    words: tuple[str, ...], argv: tuple[str, ...]
) -> None:
    assert command_for(words, ENVIRONMENT) == Command(argv, ENVIRONMENT, "/workspace")


def test_options_reach_the_command() -> None:
    options = CommandOptions(
        subfolder="packages/a", extra=(("A", "1"),), tty=True, rows=50, columns=132
    )
    assert command_for(("a", "b"), ENVIRONMENT, options) == Command(
        ("a", "b"),
        (("A", "1"), *ENVIRONMENT),
        "/workspace/packages/a",
        tty=True,
        rows=50,
        columns=132,
    )


@pytest.mark.parametrize("words", [(), ("",), ("", "x")])
def test_a_command_needs_a_name(words: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as error:
        command_for(words, ENVIRONMENT)
    assert error.value.code is Code.REQUEST_INVALID


@pytest.mark.parametrize(
    ("folder", "inside"),
    [
        ("", "/workspace"),
        (".", "/workspace"),
        ("a/../b", "/workspace/b"),
        ("/opt", "/opt"),
        ("/opt/../etc", "/etc"),
        ("workspace", "/workspace/workspace"),
    ],
)
def test_where_a_folder_is_inside(folder: str, inside: str) -> None:
    assert folder_inside(folder) == inside


@pytest.mark.parametrize("folder", ["..", "a/../../x", "../workspaces", "a\0b"])
def test_a_relative_folder_stays_in_the_workspace(folder: str) -> None:
    with pytest.raises(UserError):
        folder_inside(folder)


def test_w_is_stronger_than_where_the_caller_stood() -> None:
    options = CommandOptions(cwd="/opt", subfolder="a")
    assert command_for(("a", "b"), ENVIRONMENT, options).cwd == "/opt"
