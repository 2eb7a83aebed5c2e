"""Which policy a person agreed to for a folder, and whether another one goes beyond it.

In: a workspace, the policy that is to run there. Out: notes for the person, or
Refused(approval_required). Never: a policy that reaches more than the recorded one taken in
silence, or a folder that was replaced or renamed given what another one was approved for.

A secret goes to a host only by a person's word: an approval here, a flag, the operator's
configuration. The first run in a folder and `approvals: notice` are no such word.

What is recorded is the whole compiled policy, under path and mark (workspace_mark.py). One that
reaches less takes its place at once, so that going back is asked for like any other step.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol
from weakref import WeakValueDictionary

import msgspec

from cleanroom.daemon.approved import Approved, read_approved, write_approved
from cleanroom.daemon.journal import Journal
from cleanroom.daemon.store import Approval, Store
from cleanroom.errors import Code, Refused, UserError
from cleanroom.policy.compile import compile_nothing
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.reach import reach_of
from cleanroom.policy.widening import Difference, difference

NOTICE: Final = "notice"  # the operator's `approvals: notice`: said, not asked
NEXT: Final = "cleanroom policy approve"
_NONE: Final = Difference((), ())
_SAID: Final = 20  # changes that notes list; `policy approve` shows all


Sends = Mapping[str, tuple[str, ...]]  # secret -> hosts that it needs approval for here
NO_SENDS: Final[Sends] = {}


class Marks(Protocol):
    """Tells folders from one another."""

    async def mark(self, workspace: str) -> str:
        """Return what only this folder has. Raises UserError, Refused if it is no workspace."""
        ...


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder that a policy is to run in; `who` asks."""

    path: str
    who: str


@dataclass(frozen=True, slots=True)
class Finding:
    """How a policy stands to what is recorded. `reason` is "" if nothing needs to be asked."""

    mark: str
    first: bool
    same: bool
    reason: str = ""
    difference: Difference = _NONE
    agreed: Sends = field(default_factory=dict)


def not_agreed(agreed: Sends, sends: Sends) -> Sends:
    """Return what of `sends` nobody agreed to."""
    lacking = {
        secret: tuple(host for host in hosts if host not in agreed.get(secret, ()))
        for secret, hosts in sends.items()
    }
    return {secret: hosts for secret, hosts in lacking.items() if hosts}


class Approvals:
    """The approvals of one daemon."""

    def __init__(self, store: Store, journal: Journal, marks: Marks, mode: str) -> None:
        self._store = store
        self._journal = journal
        self._marks = marks
        self._mode = mode
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def admit(
        self, at: Workspace, policy: CompiledPolicy, wanted: str = "", sends: Sends = NO_SENDS
    ) -> list[str]:
        """Let a run begin, or raise Refused(approval_required); return what to tell the person.

        `wanted` is the only hash that the caller accepts, "" for any that is approved.
        """
        async with self._turn(at):
            finding = await self.judge(at, policy, wanted, sends)
            if finding.same:
                return []
            how = _how(finding, wanted)
            agreed = bound(policy) if wanted else _still_bound(finding.agreed, policy)
            await self._record(at, policy, finding.mark, Approved(policy, at.who, how, agreed))
        if finding.first:
            return first_notes(policy)
        if how == NOTICE:
            return [f"{finding.reason} (approvals: notice)", *change_lines(finding)[:_SAID]]
        return []

    async def note_narrower(self, at: Workspace, policy: CompiledPolicy) -> None:
        """Record what reaches no more than what is recorded; of anything else, do nothing."""
        async with self._turn(at):
            finding = await self._find(at, policy)
            if not (finding.first or finding.same or finding.reason):
                agreed = _still_bound(finding.agreed, policy)
                how = _how(finding, "")
                await self._record(at, policy, finding.mark, Approved(policy, at.who, how, agreed))

    async def judge(
        self, at: Workspace, policy: CompiledPolicy, wanted: str, sends: Sends
    ) -> Finding:
        """Return how `policy` stands, or raise what `admit` raises; record nothing."""
        if wanted and wanted != policy.policy_hash:
            message = f"cannot run: the policy is {policy.policy_hash}, not the {wanted[:80]} named"
            hint = f"review it ({NEXT} --check); then name it in CLEANROOM_APPROVED_POLICY"
            raise Refused(Code.APPROVAL_REQUIRED, message, hint)
        finding = await self._find(at, policy)
        if finding.reason and not wanted and self._mode != NOTICE:
            raise Refused(Code.APPROVAL_REQUIRED, f"cannot run: {finding.reason}", NEXT)
        for secret, hosts in () if wanted else not_agreed(finding.agreed, sends).items():
            message = f"cannot run: nobody approved here that '{secret}' goes to {', '.join(hosts)}"
            hint = f"{NEXT}; or for one run: --secret {secret}=VARIABLE@{','.join(hosts)}"
            raise Refused(Code.APPROVAL_REQUIRED, message, hint)
        return finding

    async def look(self, at: Workspace, policy: CompiledPolicy) -> Finding:
        """Return how `policy` stands to what is recorded; record nothing."""
        return await self._find(at, policy)

    async def approve(self, at: Workspace, policy: CompiledPolicy, wanted: str = "") -> Finding:
        """Record that a person agreed; return what they agreed to."""
        if wanted and wanted != policy.policy_hash:
            message = f"cannot approve: the policy is {policy.policy_hash} by now"
            raise UserError(Code.CONFLICT, message, "look at it again: cleanroom policy approve")
        async with self._turn(at):
            finding = await self._find(at, policy)
            approved = Approved(policy, at.who, "approve", bound(policy))
            await self._record(at, policy, finding.mark, approved)
        return finding

    def _turn(self, at: Workspace) -> asyncio.Lock:
        """Return the lock of those who speak of one folder: a policy of many pins takes a while."""
        return self._turns.setdefault(at.path, asyncio.Lock())

    async def _find(self, at: Workspace, policy: CompiledPolicy) -> Finding:
        mark = await self._marks.mark(at.path)
        rows = await self._store.approvals(at.path, mark)
        own = next((row for row in rows if row[:2] == (at.path, mark)), None)
        same = own is not None and own.policy_hash == policy.policy_hash
        if own is not None and same and not policy.secrets:
            return Finding(mark, first=False, same=True)
        approved, reason = Approved(compile_nothing(), "", ""), ""
        if own is not None:
            try:  # with all pins it may be megabytes
                approved = await asyncio.to_thread(read_approved, own.document)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, IndexError):
                reason = "its approval was recorded by another version of cleanroom"
        elif rows:
            reason = _replaced(at.path, rows[0].path)
        if same:
            return Finding(mark, first=False, same=True, reason=reason, agreed=approved.agreed)
        found = await asyncio.to_thread(difference, approved.policy, policy)
        if own is not None and not reason:
            reason = _beyond(policy, found)
        first = not rows
        agreed = _unchanged(approved, policy) if reason else approved.agreed
        return Finding(mark, first, same=False, reason=reason, difference=found, agreed=agreed)

    async def _record(
        self, at: Workspace, policy: CompiledPolicy, mark: str, approved: Approved
    ) -> None:
        details = [("workspace", at.path), ("mark", mark), ("policy_hash", policy.policy_hash)]
        said = [("who", approved.who), ("how", approved.how)]
        self._journal.daemon("policy.approved", [*details, *said])
        document = await asyncio.to_thread(write_approved, approved)
        await self._store.put_approval(Approval(at.path, mark, policy.policy_hash, document))


def bound(policy: CompiledPolicy) -> dict[str, tuple[str, ...]]:
    """Return each secret of a policy with all its hosts."""
    return {binding.secret_id: binding.told_hosts for binding in policy.secrets}


def _still_bound(agreed: Sends, policy: CompiledPolicy) -> dict[str, tuple[str, ...]]:
    return {
        secret: tuple(host for host in hosts if host in agreed.get(secret, ()))
        for secret, hosts in bound(policy).items()
    }


def _unchanged(approved: Approved, policy: CompiledPolicy) -> Sends:
    """SECURITY: who agreed to a token in a header agreed to no other place for it at that host."""
    known = {binding.secret_id: binding for binding in approved.policy.secrets}
    return {
        binding.secret_id: approved.agreed.get(binding.secret_id, ())
        for binding in policy.secrets
        if (old := known.get(binding.secret_id)) is not None
        and replace(binding, allowed_hosts=old.allowed_hosts) == old
    }


def change_lines(finding: Finding) -> list[str]:
    """Return the wider changes, a line each, as `policy diff` shows them."""
    return [f"+ {change.text()}" for change in finding.difference.wider]


def first_notes(policy: CompiledPolicy) -> list[str]:
    """Return what the first run in a folder says; nothing if nothing can be reached."""
    reach = reach_of(policy)
    if reach.is_nothing:
        return []
    # A first run approves no host for a secret.
    return [
        f"first run here, {'binds' if line.startswith('secrets') else 'approved with'} {line}"
        for line in reach.lines()
    ]


def _how(finding: Finding, wanted: str) -> str:
    if finding.first:
        return "first run"
    if not finding.reason:
        return "narrower"
    return "hash" if wanted else NOTICE


def _beyond(policy: CompiledPolicy, found: Difference) -> str:
    if not found.wider:
        return ""
    path = policy.source_path or "the policy"
    rest = f" and {len(found.wider) - 1} more" if len(found.wider) > 1 else ""
    return f"{path} reaches more than was approved here: {found.wider[0].text()}{rest}"


def _replaced(path: str, recorded: str) -> str:
    if path == recorded:
        return f"{path} was replaced by another folder since its policy was approved"
    return f"this folder was approved at {recorded}, and is at {path} now"
