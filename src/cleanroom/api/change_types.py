"""What a run changed, and what became of it on the host, as messages.

In: JSON. Out: frozen Structs. Never: the content of a file; `patch` shows that.
"""

from typing import Annotated

from msgspec import Meta, field

from cleanroom.api.message import HostPath, Message, Word


class Change(Message, frozen=True):
    """One path of the workspace that the run changed."""

    path: str
    kind: str  # "added", "modified", "deleted", "mode"
    size: int | None = None
    mode: int | None = None


class SkippedPath(Message, frozen=True):
    """A path that is never brought out, or was not applied, and why."""

    path: str
    reason: str


class ChangeSet(Message, frozen=True):
    """All changes of a run, by path."""

    run_id: str
    sandbox_id: str
    changes: list[Change]
    skipped: list[SkippedPath] = field(default_factory=list)


class ApplyRequest(Message, frozen=True):
    """Bring changes onto the host; no `paths`: all of them. `check` changes nothing.

    `branch`: the commits made inside, as a branch of this name, instead of files. `three_way`: what
    both sides changed is merged line by line.
    """

    paths: Annotated[list[HostPath], Meta(max_length=100_000)] = field(default_factory=list)
    check: bool = False
    branch: Word = ""
    three_way: bool = False


class MergedPath(Message, frozen=True):
    """A file that holds both sides' changes; `marks` places are for a person to decide.

    `base_known`: the version that both began with was; otherwise all differences are marked.
    """

    path: str
    marks: int
    base_known: bool


class ApplyReport(Message, frozen=True):
    """With any conflict nothing was applied. `commits` up to `commit` are in the new branch."""

    applied: list[str]
    branch: str = ""
    commit: str = ""
    commits: int = 0
    conflicts: list[SkippedPath] = field(default_factory=list)
    skipped: list[SkippedPath] = field(default_factory=list)
    merged: list[MergedPath] = field(default_factory=list)  # of those applied
