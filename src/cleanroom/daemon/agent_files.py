"""Files that a coding agent finds in its home: written inside, by a program inside, before it runs.

In: a new sandbox, and how its agent is logged in. Out: a login and settings, with placeholders.
Never: a value; a file of the host: what a volume holds may lead elsewhere, but nowhere out of the
sandbox, and into a folder that is shown from outside nothing is written.
"""

from typing import Final

from cleanroom.api.problem import failure_of
from cleanroom.daemon.executions import Ending
from cleanroom.daemon.host import Host
from cleanroom.daemon.inside import answer_of, helper, said
from cleanroom.daemon.sandbox import Creation, LiveSandbox
from cleanroom.errors import CleanroomError, Code, Fault
from cleanroom.policy.agent_recipes import InsideFile, Way
from cleanroom.policy.agents import added, files_of, login_of

# A draft first: nobody reads half a file.
_DRAFT: Final = 'umask 077 && mkdir -p "${1%/*}" && rm -f "$1.new" && cat >"$1.new"'
_WRITE: Final = f'{_DRAFT} && mv -fT "$1.new" "$1"'
_WRITE_ONCE: Final = f'test -e "$1" || {{ {_WRITE}; }}'
# Of something else than a file (a FIFO that an earlier command left) nothing is read.
_READ: Final = 'if test -f "$1"; then cat "$1"; fi'
_MOST: Final = 1024 * 1024  # bytes of settings that are read
_PIECE: Final = 32 * 1024


async def write_files(host: Host, sandbox: LiveSandbox, creation: Creation) -> None:
    """Write what the recipe of the sandbox's agent has, into its volume.

    Raises Fault(runtime_launch_failed); the sandbox has ended then.
    """
    if not creation.agent:
        return
    recipe, credential = login_of(creation.agent)
    if all(each.at != recipe.home for each in creation.options.volumes):
        return  # a folder of the person's own, perhaps
    prepared, _ = sandbox.parts()
    variables = {**dict(prepared.spec.environment), **creation.options.environment}
    try:
        for each in files_of(credential, variables):
            await _write(host, sandbox, each)
    except CleanroomError as error:
        await host.sandboxes.stop(sandbox, Ending("canceled", failure_of(error)))
        raise


async def _write(host: Host, sandbox: LiveSandbox, file: InsideFile) -> None:
    text = file.text
    if file.way is Way.ADDED:
        found = await _run(host, sandbox, _READ, file)
        if found is None:
            return  # more than any settings of an agent
        text = added(found.decode("utf-8", "replace"), text)
    script = _WRITE_ONCE if file.way is Way.ONCE else _WRITE
    await _run(host, sandbox, script, file, text.encode())


async def _run(
    host: Host, sandbox: LiveSandbox, script: str, file: InsideFile, given: bytes = b""
) -> bytes | None:
    """Return what the script says; None: there is too much of it."""
    async with helper(host, sandbox, "/bin/sh", "-c", script, "sh", file.path) as process:
        for start in range(0, len(given), _PIECE):
            await process.write_stdin(given[start : start + _PIECE])
        await process.close_stdin()
        out, errors, status = await answer_of(process, _MOST)
    if status:
        message = f"cannot write the agent's file {file.path}: {said(errors)}"
        hint = "its volume may be full, or hold something else there: cleanroom volumes list"
        raise Fault(Code.RUNTIME_LAUNCH_FAILED, message, hint)
    return out if status == 0 else None
