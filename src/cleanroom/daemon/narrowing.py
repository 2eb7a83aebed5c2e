"""Living sandboxes held to the policy that their workspace has by now, where that permits less.

In: a policy text, the sandboxes that are meant. Out: what became of each. Never: a sandbox that
reaches more than before; half of a policy that also widens; a part that does not hold, unsaid.

The record first, then the gateway: a daemon that is killed in between takes its gateway and its
sandboxes with it, and a gateway that does not answer is ended.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec

from cleanroom.api.policy_types import (
    PolicyChange,
    PolicyReloadRequest,
    PolicyText,
    ReloadedSandbox,
)
from cleanroom.daemon.approvals import Workspace
from cleanroom.daemon.host import Host
from cleanroom.daemon.sandbox import LiveSandbox
from cleanroom.errors import CleanroomError, Code, UserError
from cleanroom.policy.living import Hold, hold
from cleanroom.policy.model import CompiledPolicy

NARROWED: Final = "narrowed"  # it is held to less from now on
SAME: Final = "same"
REFUSED: Final = "refused"
_SAID: Final = 20  # changes that an event and a note count up


async def narrow(request: PolicyReloadRequest, host: Host, who: str) -> list[ReloadedSandbox]:
    """Hold each sandbox that is meant to the text. Raises UserError before any has changed."""
    _, _, written = await host.policies.compile(request.policy)
    meant = _living(host, request.workspace, request.sandboxes)
    # What is not among them yet.
    host.sandboxes.reloads.add(request.workspace, written.policy_hash)
    found = [await _hold_to(request.policy, host, sandbox) for sandbox in meant]
    await host.approvals.note_narrower(Workspace(request.workspace, who), written)
    return [each for each in found if each is not None]


def _living(host: Host, workspace: str, words: Iterable[str]) -> list[LiveSandbox]:
    """Return those that are named, or all of a workspace. Raises UserError."""
    mine = [each for each in host.sandboxes.live if each.record.workspace == workspace]
    chosen = {word: host.sandboxes.find(word) for word in words}
    for word, found in chosen.items():
        if found not in mine:
            message = f"cannot hold '{word[:64]}' to this policy: no such sandbox lives here"
            raise UserError(Code.SANDBOX_NOT_FOUND, message, "those that live: cleanroom ps")
    return [each for each in mine if not chosen or each in chosen.values()]


async def _hold_to(text: PolicyText, host: Host, sandbox: LiveSandbox) -> ReloadedSandbox | None:
    """Return what became of one; None: it ended meanwhile."""
    await sandbox.begun.wait()  # one that is being made is opened with what it began with
    async with sandbox.opening:
        if _has_ended(sandbox):
            return None
        own = msgspec.structs.replace(text, agent=sandbox.agent)
        try:
            new, _, _ = await host.policies.compile(own)
        except CleanroomError as error:  # a deny rule for what its agent was given
            return _result(sandbox, REFUSED, reason=error.message)
        return await _hold_under(new, host, sandbox)


async def _hold_under(
    new: CompiledPolicy, host: Host, sandbox: LiveSandbox
) -> ReloadedSandbox | None:
    # With all their pins: in a thread, nobody else waits for it. Only who has `opening` changes the
    # policy of a sandbox, but it may end at any time.
    found = await asyncio.to_thread(hold, sandbox.policy, new)
    if _has_ended(sandbox):
        return None
    if found.is_refused:
        return _refused(sandbox, found)
    if not found.narrower:
        return _result(sandbox, SAME, later=found)
    try:
        place = await host.backends.that_proves(found.policy, sandbox.options)
    except CleanroomError as error:
        return _result(sandbox, REFUSED, reason=error.message)
    await _narrow(host, sandbox, found)
    sandbox.needs |= place.needs
    return _result(sandbox, NARROWED, _changes(found), found)


def _has_ended(sandbox: LiveSandbox) -> bool:
    return sandbox.ending is not None or sandbox.record.state != "ready"


async def _narrow(host: Host, sandbox: LiveSandbox, found: Hold) -> None:
    said = [f"- {change.text()}" for change in found.narrower[:_SAID]]
    more = [f"and {len(found.narrower) - _SAID} more"] if len(found.narrower) > _SAID else []
    details = [("policy_hash", found.policy.policy_hash), ("changes", "; ".join([*said, *more]))]
    host.journal.lifecycle(sandbox, "sandbox.narrowed", details)
    await host.gateways.narrow(sandbox.record.id, found.policy)
    _take(sandbox, found.policy)
    for run in sandbox.runs.values():
        run.note(f"the policy was narrowed: {'; '.join([*said, *more])}")
    await host.store.put_sandbox(sandbox.record)


def _take(sandbox: LiveSandbox, policy: CompiledPolicy) -> None:
    sandbox.policy = policy
    sandbox.record = msgspec.structs.replace(sandbox.record, policy_hash=policy.policy_hash)


def _refused(sandbox: LiveSandbox, found: Hold) -> ReloadedSandbox:
    wider = [PolicyChange(effect="wider", text=change.text()) for change in found.wider]
    reasons = ["the policy also reaches more"] if wider else []
    if found.untrusted:
        names = ", ".join(found.untrusted)
        reasons.append(f"TLS of {names} would be opened, for which its programs trust nobody")
    return _result(sandbox, REFUSED, wider, reason="; ".join(reasons))


def _changes(found: Hold) -> list[PolicyChange]:
    return [PolicyChange(effect="narrower", text=change.text()) for change in found.narrower]


def _result(
    sandbox: LiveSandbox,
    outcome: str,
    changes: Iterable[PolicyChange] = (),
    later: Hold | None = None,
    *,
    reason: str = "",
) -> ReloadedSandbox:
    return ReloadedSandbox(
        id=sandbox.record.id,
        name=sandbox.record.name,
        outcome=outcome,
        policy_hash=sandbox.record.policy_hash,
        changes=list(changes),
        later=[change.text() for change in later.later] if later is not None else [],
        reason=reason,
    )
