"""The login file of a coding agent: written inside, by a program inside, before its command.

In: a new sandbox, and how its agent is logged in. Out: the file, with placeholders. Never: a value;
a file of the host (what a volume holds may lead elsewhere, but nowhere out of the sandbox).
"""

from typing import Final

from cleanroom.api.problem import failure_of
from cleanroom.daemon.executions import Ending
from cleanroom.daemon.host import Host
from cleanroom.daemon.inside import answer_of, helper, said
from cleanroom.daemon.sandbox import Creation, LiveSandbox
from cleanroom.errors import CleanroomError, Code, Fault
from cleanroom.policy.agents import login_of, login_text

# A draft first: somebody else in the sandbox never reads half a file.
_WRITE: Final = """\
umask 077 && mkdir -p "${1%/*}" && rm -f "$1.new" && printf %s "$2" >"$1.new" && mv -f "$1.new" "$1"
"""
_MOST: Final = 4096  # bytes of what it says


async def write_login(host: Host, sandbox: LiveSandbox, creation: Creation) -> None:
    """Write the file that the recipe of the sandbox's agent has, if any.

    Raises Fault(runtime_launch_failed); the sandbox has ended then.
    """
    if not creation.agent:
        return
    credential = login_of(creation.agent).credential
    prepared, _ = sandbox.parts()
    variables = {**dict(prepared.spec.environment), **creation.options.environment}
    text = login_text(credential, variables)
    if credential.file is None or not text:
        return
    try:
        await _write(host, sandbox, credential.file.path, text)
    except CleanroomError as error:
        await host.sandboxes.stop(sandbox, Ending("canceled", failure_of(error)))
        raise


async def _write(host: Host, sandbox: LiveSandbox, path: str, text: str) -> None:
    async with helper(host, sandbox, "/bin/sh", "-c", _WRITE, "sh", path, text) as process:
        _, errors, status = await answer_of(process, _MOST)
    if status != 0:
        message = f"cannot write the agent's login file {path}: {said(errors)}"
        hint = "its volume may be full or changed: cleanroom volumes list"
        raise Fault(Code.RUNTIME_LAUNCH_FAILED, message, hint)
