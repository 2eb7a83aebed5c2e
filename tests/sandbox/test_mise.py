"""Repository files as data: which count, what they name, and that nothing else shares a volume."""

import dataclasses

import pytest

from cleanroom.errors import Fault, UserError
from cleanroom.policy.demands import Limits
from cleanroom.policy.model import MisePolicy
from cleanroom.sandbox import mise
from cleanroom.sandbox.mise import Equipment, MisePlan, Origin
from cleanroom.sandbox.spec import Bind, Overlay, SandboxSpec

DEFAULT = MisePolicy()
ORIGIN = Origin("/repo 1 2", "x86_64 Linux 1", "sha256:aa", "sha256:bb")
FILE = b'[tools]\nnode = "22"\n"npm:prettier" = { version = "3" }\n[env]\nA = "b"\n'
SPEC = SandboxSpec(
    "sbx_1",
    "cleanroom",
    (Bind("/usr", "/usr"), Overlay(("/workspace", "/repo"), ("/repo",), "/s/u", "/s/w")),
    (("CI", "1"), ("PATH", "/usr/bin"), ("MISE_YES", "1")),
    "/workspace",
    Limits(),
    frozenset(),
)


def plan(policy: MisePolicy = DEFAULT, **found: bytes) -> MisePlan | None:
    files = {name.replace("__", "/").replace("_", "."): data for name, data in found.items()}
    return mise.plan_mise(policy, files, ORIGIN)


def planned(policy: MisePolicy = DEFAULT, **found: bytes) -> MisePlan:
    made = plan(policy, **found)
    assert made is not None
    return made


def test_configurations_and_the_locks_beside_them_are_read() -> None:
    assert mise.files_to_read(MisePolicy()) == (
        ".mise.toml",
        ".mise/config.toml",
        "mise.toml",
        "mise.lock",
        ".mise/mise.lock",
    )


def test_nothing_is_done_without_a_file_or_when_the_policy_says_no() -> None:
    assert plan() is None
    assert plan(mise_lock=b"") is None
    assert plan(MisePolicy(enabled=False), mise_toml=FILE) is None
    assert plan(MisePolicy(enabled=True)) is None


def test_tools_of_all_files_count_and_the_first_file_wins() -> None:
    made = planned(_mise_toml=b'[tools]\nnode = "20"\n', mise_toml=FILE)
    assert made.tools == (("node", "20"), ("npm:prettier", '{"version": "3"}'))
    assert made.config_files == (".mise.toml", "mise.toml")
    assert (made.is_locked, made.applies) == (False, True)
    later = planned(MisePolicy(auto_bootstrap=False), mise_toml=b"", mise_lock=b"")
    assert (later.tools, later.is_locked, later.applies) == ((), True, False)


@pytest.mark.parametrize(
    "content", [b"[tools", b"\xff", b"a = " + b"[" * 100_000, b"tools = 1", b"[[tools]]\na = 1"]
)
def test_a_file_that_is_no_toml_is_the_persons_fault(content: bytes) -> None:
    with pytest.raises(UserError, match=r"cannot read mise\.toml"):
        plan(mise_toml=content)


def test_every_difference_is_another_volume() -> None:
    key = planned(mise_toml=FILE).key
    assert planned(mise_toml=FILE).key == key
    others = [
        planned(mise_toml=FILE + b"\n# else").key,
        planned(mise_toml=FILE.replace(b"22", b"23")).key,
        planned(mise_toml=FILE, mise_lock=b"").key,
        planned(MisePolicy(config_files=("mise.toml",)), mise_toml=FILE).key,
    ]
    for field in dataclasses.fields(Origin):
        other = dataclasses.replace(ORIGIN, **{field.name: "other"})
        made = mise.plan_mise(MisePolicy(), {"mise.toml": FILE}, other)
        assert made is not None
        others.append(made.key)
    assert len({key, *others}) == len(others) + 1


def test_the_sandbox_gets_the_program_the_layer_and_the_variables() -> None:
    equipment = Equipment(planned(mise_toml=FILE), "/usr/bin/mise", "/c/v", (7, 8))
    spec = mise.equip(SPEC, equipment, "/s/m/upper", "/s/m/work")
    assert spec.mounts[:2] == SPEC.mounts
    assert spec.mounts[2:] == (
        Bind("/usr/bin/mise", mise.PROGRAM),
        Overlay((mise.DATA,), ("/c/v",), "/s/m/upper", "/s/m/work", 7, 8),
    )
    said = dict(spec.environment)
    assert said["PATH"] == f"{mise.PROGRAM_FOLDER}:/usr/bin"
    assert said["MISE_TRUSTED_CONFIG_PATHS"] == "/workspace:/repo"
    assert said["MISE_OVERRIDE_CONFIG_FILENAMES"] == ".mise.toml:.mise/config.toml:mise.toml"
    assert said["MISE_DATA_DIR"] == mise.DATA
    assert "MISE_LOCKED" not in said


def test_while_a_volume_is_made_an_empty_folder_lies_below() -> None:
    equipment = Equipment(planned(mise_toml=FILE, mise_lock=b""), "/usr/bin/mise")
    spec = mise.equip(SPEC, equipment, "/s/m/upper", "/s/m/work")
    assert spec.mounts[-1] == Overlay((mise.DATA,), ("/s/m/empty",), "/s/m/upper", "/s/m/work")
    assert dict(spec.environment)["MISE_LOCKED"] == "1"


def test_without_tools_there_is_only_the_program() -> None:
    alone = dataclasses.replace(SPEC, mounts=SPEC.mounts[:1])
    spec = mise.equip(alone, Equipment(planned(mise_toml=b""), "/usr/bin/mise"), "", "")
    assert spec.mounts[1:] == (Bind("/usr/bin/mise", mise.PROGRAM),)
    assert "MISE_DATA_DIR" not in dict(spec.environment)
    assert dict(spec.environment)["MISE_TRUSTED_CONFIG_PATHS"] == "/workspace"


def test_only_a_command_gets_the_environment_never_the_bootstrap() -> None:
    made = Equipment(planned(mise_toml=FILE), "/usr/bin/mise")
    assert made.applies
    assert not dataclasses.replace(made, is_bootstrap=True).applies
    quiet = planned(MisePolicy(auto_bootstrap=False), mise_toml=FILE)
    assert not Equipment(quiet, "/usr/bin/mise").applies


def test_mise_does_not_hear_that_it_may_trust_everything() -> None:
    assert mise.untrusting(SPEC.environment) == (("PATH", "/usr/bin"),)
    assert "--unset=CI" in mise.install_command()
    assert mise.install_command()[-2:] == (mise.PROGRAM, "install")
    assert mise.environment_command()[0] == mise.PROGRAM


def test_the_answer_is_an_environment() -> None:
    assert mise.read_environment(b'{"B": "2", "A": ""}') == (("A", ""), ("B", "2"))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"A": 1}',
        b'{"": "a"}',
        b'{"A=B": "a"}',
        b'{"A": "a\\u0000"}',
        b'{"A": "\\ud800"}',
        b'{"\xff": "a"}',
        b"{" + b",".join(b'"A%d": ""' % n for n in range(5000)) + b"}",
    ],
)
def test_an_answer_that_is_none_is_refused(answer: bytes) -> None:
    with pytest.raises(Fault, match="cannot apply the environment"):
        mise.read_environment(answer)


@pytest.mark.parametrize(
    ("words", "form"),
    [
        (("mise exec npm test",), "mise exec -- npm test"),
        (("mise exec node --version",), "mise exec -- node --version"),
        (("mise", "x", "npm:a@1", "a", "b"), "mise x npm:a@1 -- a b"),
        (("mise exec -- npm test",), ""),
        (("mise exec --help",), ""),
        (("mise exec node@22",), ""),
        (("mise exec a node@22",), ""),
        (("mise exec",), ""),
        (("mise run test",), ""),
        (("npm exec test",), ""),
    ],
)
def test_the_working_form_of_what_mise_cannot_read(words: tuple[str, ...], form: str) -> None:
    told = mise.separator_missing(words)
    assert told == (
        f'mise exec wants its own --; write: cleanroom exec -- "{form}"' if form else ""
    )
