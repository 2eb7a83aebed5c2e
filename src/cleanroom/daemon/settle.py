"""What a person left open, settled by the operator's configuration.

In: RunOptions, Settings. Out: RunOptions with nothing of the workspace left open. Never: a word of
the repository.
"""

from msgspec.structs import replace

from cleanroom.api.types import RunOptions
from cleanroom.daemon.settings import Settings
from cleanroom.errors import Code, UserError


def settle(options: RunOptions, settings: Settings) -> RunOptions:
    """Return the options with the way that the workspace is shown, and all that is beside it."""
    mode = options.workspace_mode or settings.workspace.mode
    named = {each.place for each in options.mounts}
    more = [each for each in settings.workspace.mounts if each.place not in named]
    return replace(options, workspace_mode=mode, mounts=[*options.mounts, *more])


def sandbox_stays(options: RunOptions) -> bool:
    """Whether the sandbox of a run stays after it. Raises UserError for what others cannot have."""
    stays = options.keep or options.reuse or options.sandbox is not None
    if options.idle_s is not None and not stays:
        message = "cannot end the sandbox when it is idle: it ends with its command"
        raise UserError(Code.REQUEST_INVALID, message, "leave out --idle, or add --keep")
    return stays
