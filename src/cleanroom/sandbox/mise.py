"""mise: which files of a repository count, where its tools are kept, what runs inside.

In: the policy's mise section, the bytes of the files, facts of the program. Out: MisePlan, the
mounts and variables of a sandbox, commands, the environment that mise answered.
Never: I/O, or code of the project: TOML is read as data, all else happens inside the sandbox.
"""

import hashlib
import json
import posixpath
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from cleanroom.errors import Code, Fault, UserError
from cleanroom.policy.model import MisePolicy
from cleanroom.sandbox.environment import Environment
from cleanroom.sandbox.host import WORKSPACE
from cleanroom.sandbox.spec import Bind, Overlay, SandboxSpec

PROGRAM_FOLDER: Final = "/opt/cleanroom/bin"
PROGRAM: Final = f"{PROGRAM_FOLDER}/mise"
DATA: Final = "/opt/cleanroom/mise"  # MISE_DATA_DIR: the volume, below what a sandbox writes
LOCK: Final = "mise.lock"  # beside the file that it locks

MAX_FILE_BYTES: Final = 1 << 20
MAX_ENVIRONMENT_BYTES: Final = 1 << 20
_MAX_VARIABLES: Final = 4096
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

# mise trusts every file if it believes to be in CI, so its own commands do not hear of it.
_UNTRUSTING: Final = ("CI", "MISE_YES")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a volume comes from: nothing that differs here ever shares one."""

    workspace: str  # its identity: canonical path, device, inode
    platform: str
    policy_hash: str
    program_digest: str


@dataclass(frozen=True, slots=True)
class MisePlan:
    """What mise is to do for one sandbox. `key` names the volume of `tools`."""

    config_files: tuple[str, ...]  # those that exist
    names: tuple[str, ...]  # all that count, as mise looks for them in each folder
    tools: tuple[tuple[str, str], ...]  # name, version as it was written
    is_locked: bool
    applies: bool  # to every command; False: only what `mise exec` does by itself
    key: str


@dataclass(frozen=True, slots=True)
class Equipment:
    """mise in one sandbox: its program, and its tools as a layer of the host.

    `layers` is the folder of the upper layer, "" for one of the sandbox's own; `volume` is what
    an earlier bootstrap made, "" while it is being made. `owner` are the host ids of its files.
    """

    plan: MisePlan
    program: str
    volume: str = ""
    owner: tuple[int, int] = (0, 0)
    layers: str = ""
    is_bootstrap: bool = False

    @property
    def applies(self) -> bool:
        """Whether commands get the environment that mise answers."""
        return self.plan.applies and not self.is_bootstrap


def files_to_read(policy: MisePolicy) -> tuple[str, ...]:
    """Return the files of the workspace that decide, relative: configurations, then their locks."""
    locks = (posixpath.join(posixpath.dirname(name), LOCK) for name in policy.config_files)
    return tuple(dict.fromkeys((*policy.config_files, *locks)))


def plan_mise(policy: MisePolicy, found: Mapping[str, bytes], origin: Origin) -> MisePlan | None:
    """Return what is to be done; None if the policy or the lack of files says nothing.

    `found` are those of `files_to_read` that exist. Raises UserError(request_invalid) for a file
    that is no TOML.
    """
    present = tuple(name for name in policy.config_files if name in found)
    if policy.enabled is False or not present:
        return None
    tools = dict(pair for name in reversed(present) for pair in tools_of(name, found[name]))
    plan = MisePlan(
        config_files=present,
        names=policy.config_files,
        tools=tuple(sorted(tools.items())),
        is_locked=any(name not in policy.config_files for name in found),
        applies=policy.auto_bootstrap,
        key="",
    )
    return replace(plan, key=_key(plan, found, origin))


def tools_of(name: str, content: bytes) -> tuple[tuple[str, str], ...]:
    """Return the tools that one file names. Raises UserError(request_invalid)."""
    try:
        tools = tomllib.loads(content.decode()).get("tools", {})
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError, TOMLDecodeError: ValueError
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is no TOML"
        message = f"cannot read {name}: {reason[:200]}"
        hint = "correct it, or say sandbox.mise.enabled: false"
        raise UserError(Code.REQUEST_INVALID, message, hint) from error
    if not isinstance(tools, dict):
        message = f"cannot read {name}: 'tools' is no table"
        raise UserError(Code.REQUEST_INVALID, message, "write: [tools]")
    return tuple((tool, _version(value)) for tool, value in tools.items())


def equip(spec: SandboxSpec, equipment: Equipment, upper: str, work: str) -> SandboxSpec:
    """Return the sandbox with mise in it; `upper` and `work` are its layers, "" for no tools."""
    plan = equipment.plan
    # A folder that is never written to stands in for a volume while there is none.
    lower = equipment.volume or f"{posixpath.dirname(upper)}/empty"
    layer = Overlay((DATA,), (lower,), upper, work, *equipment.owner)
    mounts = (Bind(equipment.program, PROGRAM), *((layer,) if upper else ()))
    environment = dict(spec.environment)
    environment["PATH"] = f"{PROGRAM_FOLDER}:{environment['PATH']}"
    environment.update(_variables(plan, _host_path(spec), tools=bool(upper)))
    return replace(
        spec,
        mounts=(*spec.mounts, *mounts),
        environment=tuple(sorted(environment.items())),
    )


def untrusting(environment: Environment) -> Environment:
    """Return the variables with which mise trusts what it was told to trust, and nothing else."""
    return tuple(pair for pair in environment if pair[0] not in _UNTRUSTING)


def install_command() -> tuple[str, ...]:
    """Return what makes a volume; to be run with `untrusting` variables."""
    return ("/usr/bin/env", *(f"--unset={name}" for name in _UNTRUSTING), PROGRAM, "install")


def environment_command() -> tuple[str, ...]:
    """Return what answers with the environment of the repository's files."""
    return (PROGRAM, "env", "--json", "--cd", WORKSPACE)


def read_environment(answer: bytes) -> Environment:
    """Return the variables that mise answered. Raises Fault: the sandbox may have written it."""
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict) and len(said) <= _MAX_VARIABLES and all(map(_is_pair, said.items())):
        return tuple(sorted(said.items()))
    message = "cannot apply the environment of the repository's mise files: it is none"
    raise Fault(Code.RUNTIME_LAUNCH_FAILED, message, "run: cleanroom exec -- mise env --json")


def separator_missing(words: tuple[str, ...]) -> str:
    """Return the working form of `mise exec COMMAND` written without its own `--`; "" if it is.

    mise reads everything before `--` as tools. What was typed runs as it is; this is said after.
    """
    parts = words[0].split() if len(words) == 1 else list(words)
    if len(parts) < 3 or parts[0] not in ("mise", PROGRAM) or parts[1] not in ("exec", "x"):
        return ""
    rest = parts[2:]
    tools = [part for part in rest if "@" in part.lstrip("@")]
    if rest[0].startswith("-") or "--" in rest or rest[: len(tools)] != tools or rest == tools:
        return ""
    form = " ".join([*parts[:2], *tools, "--", *rest[len(tools) :]])
    return f'mise exec wants its own --; write: cleanroom exec -- "{form}"'


def _variables(plan: MisePlan, host_path: str, *, tools: bool) -> dict[str, str]:
    trusted = dict.fromkeys((WORKSPACE, host_path))
    variables = {
        "MISE_NPM_PACKAGE_MANAGER": "npm",  # the built-in one refuses mirrors without dates
        "MISE_OVERRIDE_CONFIG_FILENAMES": ":".join(plan.names),
        "MISE_OVERRIDE_TOOL_VERSIONS_FILENAMES": "none",
        "MISE_PREFER_OFFLINE": "1",
        "MISE_TRUSTED_CONFIG_PATHS": ":".join(path for path in trusted if path),
        "MISE_USE_VERSIONS_HOST": "0",
    }
    return (
        variables
        | ({"MISE_DATA_DIR": DATA} if tools else {})
        | ({"MISE_LOCKED": "1"} if plan.is_locked else {})
    )


def _host_path(spec: SandboxSpec) -> str:
    """Return where else the workspace appears: at its own path, but for odd ones."""
    for mount in spec.mounts:
        if isinstance(mount, Overlay) and WORKSPACE in mount.targets:
            return next((path for path in mount.targets if path != WORKSPACE), "")
    return ""


def _is_pair(pair: tuple[str, object]) -> bool:
    """Whether execve takes it: JSON may hold NULs, and halves of characters."""
    key, value = pair
    if not key or "=" in key or not isinstance(value, str):
        return False
    return "\0" not in key + value and _SURROGATE.search(key + value) is None


def _version(value: object) -> str:
    """Return what a tool's value says; a table or a list as text of its own."""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, default=str)


def _key(plan: MisePlan, found: Mapping[str, bytes], origin: Origin) -> str:
    """Return the volume's name: another tool, version, file, platform, policy: another volume."""
    contents = {name: hashlib.sha256(found[name]).hexdigest() for name in sorted(found)}
    parts = [
        plan.tools,
        plan.names,
        contents,
        origin.workspace,
        origin.platform,
        origin.policy_hash,
        origin.program_digest,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
