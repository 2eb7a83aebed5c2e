"""Commands that were refused before they began: they leave no run, and `suggest` is asked of one.

In: a workspace, why its newest command never began. Out: a sentence, until one has begun there.
Never: more workspaces than a bound; a record, the refusal itself has been answered.
"""

from collections import OrderedDict
from typing import Final

from cleanroom.errors import Code

MOST: Final = 256  # workspaces


class TurnedAway:
    """The newest of each workspace."""

    def __init__(self) -> None:
        self._codes: OrderedDict[str, Code] = OrderedDict()

    def note(self, workspace: str, code: Code) -> None:
        """Remember it."""
        self._codes[workspace] = code
        self._codes.move_to_end(workspace)
        if len(self._codes) > MOST:
            self._codes.popitem(last=False)

    def forget(self, workspace: str) -> None:
        """A command has begun there. Idempotent."""
        self._codes.pop(workspace, None)

    def said(self, workspace: str) -> tuple[str, ...]:
        """Return what who asks for the last run there should know."""
        code = self._codes.get(workspace)
        if code is None:
            return ()
        return (f"the command after this run was refused before it began ({code}): it is no run",)
