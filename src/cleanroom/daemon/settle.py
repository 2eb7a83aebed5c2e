"""What a person left open, settled by the operator's configuration.

In: RunOptions, Settings. Out: RunOptions with nothing of the workspace left open. Never: a word of
the repository.
"""

from msgspec.structs import replace

from cleanroom.api.types import RunOptions
from cleanroom.daemon.settings import Settings


def settle(options: RunOptions, settings: Settings) -> RunOptions:
    """Return the options with the way that the workspace is shown."""
    return replace(options, workspace_mode=options.workspace_mode or settings.workspace.mode)
