"""May a sandbox push this to a git repository? Judged before a byte of it leaves.

In: the rules of a secret, the body of a request to git-receive-pack in pieces. Out: Pass | Refused.
Never: a ref that is no branch; a push of which some refs may not be changed; an option, a signed
push, a wish that pushing branches does not need; a branch that is moved to what is not proven to
follow what it is at, unless the rules say `force`.

The old id of a command is the client's word. Servers compare it with what the branch is at and
change nothing if it differs: so a branch that is said to be new, or at another commit, stays.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cleanroom.decide.ancestry import MAX_PACK, follows, parents_in
from cleanroom.decide.model import Deny
from cleanroom.decide.push_commands import Command, CommandReader, Commands, NoCommands
from cleanroom.errors import Code
from cleanroom.policy.model import PushRules
from cleanroom.policy.patterns import covered

_HEADS: Final = "refs/heads/"
_PACK: Final = b"PACK"
_ABLE: Final = re.compile(
    r"report-status(?:-v2)?|side-band-64k|quiet|atomic|ofs-delta|object-format=sha(?:1|256)"
    r"|(?:agent|session-id)=.*"
)
# Of the characters that git lets names have, those that nobody reads as something else.
_BRANCH: Final = re.compile(r"[A-Za-z0-9._+=@#-]+(?:/[A-Za-z0-9._+=@#-]+)*")
_NO_BRANCH: Final = re.compile(r"(?:^|/)[.-]|\.\.|\.(?:$|/)|\.lock(?:$|/)|@\{|^@$")
_UNPROVEN: Final = (
    "is there, and what is pushed is not proven to follow what it is at: "
    "that needs 'force: true' in the policy"
)
_NO_PACK: Final = "its refs are not followed by a pack"


@dataclass(frozen=True, slots=True)
class Pass:
    """All of it may pass."""

    asked: Commands


@dataclass(frozen=True, slots=True)
class Refused:
    """None of it may. `why`: by ref; `asked` None: it could not be read."""

    deny: Deny
    asked: Commands | None = None
    why: Mapping[str, str] = field(default_factory=dict)


class PushJudge:
    """Judges one push as it comes."""

    def __init__(self, name: str, rules: PushRules) -> None:
        self._name = name
        self._rules = rules
        self._reader = CommandReader()
        self._data = bytearray()
        self._asked: Commands | None = None
        self._why: Mapping[str, str] = {}

    def feed(self, data: bytes, *, is_whole: bool) -> Pass | Refused | None:
        """Take a piece, the last one if `is_whole`; None: more is needed."""
        self._data += data
        if self._asked is None:
            read = self._reader.feed(data)
            if isinstance(read, NoCommands):
                return self._refuse(read.why)
            if read is None:
                return (
                    self._refuse("what stands before its pack does not end") if is_whole else None
                )
            self._asked = read
            self._why = judge_commands(self._rules, read)
        return self._judge(self._asked, is_whole=is_whole)

    def _judge(self, asked: Commands, *, is_whole: bool) -> Pass | Refused | None:
        behind = len(self._data) - asked.size
        if self._why and set(self._why.values()) == {_UNPROVEN}:
            if not is_whole and behind < MAX_PACK:
                return None
            pack = bytes(self._data[asked.size : asked.size + MAX_PACK])
            self._why = judge_commands(self._rules, asked, pack)
        if self._why:
            # Of the unproven ones nothing is known, as long as others may not be pushed at all.
            hopeless = {ref: why for ref, why in self._why.items() if why != _UNPROVEN}
            self._why = hopeless or self._why
            return Refused(_refused(self._name, self._why), asked, self._why)
        begin = bytes(self._data[asked.size : asked.size + len(_PACK)])
        if asked.has_pack:
            wrong = not _PACK.startswith(begin) or (is_whole and begin != _PACK)
        else:
            wrong = bool(begin)
        if wrong:
            return self._refuse(_NO_PACK if asked.has_pack else "nothing needs its pack", asked)
        is_enough = is_whole or begin == _PACK
        return Pass(asked) if is_enough else None

    def _refuse(self, why: str, asked: Commands | None = None) -> Refused:
        reason = f"the push to {self._name} is refused: {why}"
        return Refused(Deny(Code.PUSH_NOT_ALLOWED, reason), asked)


def judge_commands(rules: PushRules, asked: Commands, pack: bytes = b"") -> Mapping[str, str]:
    """Return by ref why it may not be changed; nothing if all of the push may be."""
    unknown = sorted(each.partition("=")[0] for each in asked.able if not _ABLE.fullmatch(each))
    if unknown:
        why = f"would be pushed with '{unknown[0][:32]}', which nobody may here"
        return {command.ref: why for command in asked.commands}
    parents = parents_in(pack, len(asked.commands[0].old)) if pack else {}
    found = {each.ref: _why_not(rules, each, parents) for each in asked.commands}
    return {ref: why for ref, why in found.items() if why}


def short(ref: str) -> str:
    """Return a ref as people name it."""
    return ref.removeprefix(_HEADS)


def _why_not(rules: PushRules, command: Command, parents: Mapping[str, tuple[str, ...]]) -> str:
    branch = short(command.ref)
    if branch == command.ref:
        return "is no branch, and nothing else may be pushed"
    if not _BRANCH.fullmatch(branch) or _NO_BRANCH.search(branch):
        return "has a name that could be read in two ways"
    if not covered(rules.branches, branch):
        return f"is none of the branches that may be pushed: {', '.join(rules.branches)}"
    if command.deletes:
        return "" if rules.delete else "would be deleted: that needs 'delete: true' in the policy"
    is_new = command.creates or rules.force or follows(command.new, command.old, parents)
    return "" if is_new else _UNPROVEN


def _refused(name: str, why: Mapping[str, str]) -> Deny:
    ref, reason = next(iter(why.items()))
    more = f" ({len(why) - 1} more may not either)" if len(why) > 1 else ""
    return Deny(Code.PUSH_NOT_ALLOWED, f"the push to {name} is refused: {ref} {reason}{more}")
