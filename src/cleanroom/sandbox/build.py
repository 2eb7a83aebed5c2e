"""From a compiled policy and facts to the plan of one sandbox and of one command.

In: CompiledPolicy, WorkspaceView, HostFacts, ClientEnvironment. Out: SandboxSpec, Command.
Never: I/O, or a backend's own settings.
"""

import posixpath
from dataclasses import dataclass

from cleanroom.errors import Code, UserError
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.opened import opens_all
from cleanroom.sandbox.environment import Environment, build_environment, override
from cleanroom.sandbox.host import (
    AUTHORITY,
    CA_BUNDLE,
    WORKSPACE,
    ClientEnvironment,
    HostFacts,
    WorkspaceView,
)
from cleanroom.sandbox.spec import Command, SandboxSpec
from cleanroom.sandbox.view import HOSTNAME, build_mounts


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """What `exec` flags say of one command.

    `cwd` is inside the sandbox, relative to /workspace unless absolute; `subfolder` is where in
    the workspace the caller stood, and counts only without `cwd`. `extra` are `-e` pairs.
    """

    cwd: str = ""
    subfolder: str = ""
    extra: Environment = ()
    tty: bool = False
    rows: int = 24
    columns: int = 80


def build_spec(
    policy: CompiledPolicy,
    sandbox_id: str,
    workspace: WorkspaceView,
    host: HostFacts,
    client: ClientEnvironment,
) -> SandboxSpec:
    """The plan of one sandbox of `workspace` under `policy`."""
    environment = build_environment(
        client,
        host.tools,
        java_trust=bool(host.java_trust),
        npm_trust=AUTHORITY if host.authority and opens_all(policy) else CA_BUNDLE,
    )
    return SandboxSpec(
        sandbox_id=sandbox_id,
        hostname=HOSTNAME,
        mounts=build_mounts(host, workspace),
        environment=environment,
        cwd=WORKSPACE,
        limits=policy.sandbox.limits,
        needs=frozenset(policy.required_capabilities),
    )


def command_for(
    words: tuple[str, ...], environment: Environment, options: CommandOptions = CommandOptions()
) -> Command:
    """One word goes to the shell, several are an argv. Raises UserError(request_invalid).

    `environment` is the sandbox's (SandboxSpec.environment).
    """
    if not words or not words[0]:
        message = "cannot run a command without a name"
        raise UserError(Code.REQUEST_INVALID, message, "write: cleanroom exec -- COMMAND")
    return Command(
        argv=("/bin/sh", "-c", words[0]) if len(words) == 1 else words,
        environment=override(environment, options.extra),
        cwd=folder_inside(options.cwd or options.subfolder),
        tty=options.tty,
        rows=options.rows,
        columns=options.columns,
    )


def folder_inside(folder: str) -> str:
    """Where `folder` is inside: absolute as it is, else below /workspace and never above it."""
    if "\0" in folder:
        message = "cannot enter a folder whose name holds a NUL"
        raise UserError(Code.REQUEST_INVALID, message)
    path = posixpath.normpath(posixpath.join(WORKSPACE, folder))
    if folder.startswith("/") or path == WORKSPACE or path.startswith(f"{WORKSPACE}/"):
        return path
    message = f"cannot enter '{folder}': it is outside the workspace"
    raise UserError(Code.REQUEST_INVALID, message, "an absolute path names a folder of the sandbox")
