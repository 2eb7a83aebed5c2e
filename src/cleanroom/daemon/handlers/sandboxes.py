"""Sandboxes: made, listed, shown, ended, watched.

In: SandboxRequests, ids or names. Out: Sandbox records, streams of events. Never: an ended sandbox
shown as living.
"""

from aiohttp import web

from cleanroom.api import codec
from cleanroom.api.streams import ExitLine
from cleanroom.api.types import (
    ExtendRequest,
    PruneReport,
    PruneRequest,
    Sandbox,
    SandboxList,
    SandboxRequest,
)
from cleanroom.daemon import ids
from cleanroom.daemon.approvals import Workspace
from cleanroom.daemon.call import Call, answer, no_sandbox
from cleanroom.daemon.history import past_events
from cleanroom.daemon.policies import MAX_POLICY_BODY
from cleanroom.daemon.ports import publish
from cleanroom.daemon.removal import end_wholly, forget_older, forget_sandbox
from cleanroom.daemon.run import create_sandbox
from cleanroom.daemon.sandbox import Creation
from cleanroom.daemon.sandboxes import STOPPED
from cleanroom.daemon.secrets import check_options, sends_of
from cleanroom.daemon.settle import settle
from cleanroom.daemon.stopwatch import Stopwatch
from cleanroom.daemon.streams import NdjsonStream
from cleanroom.errors import CleanroomError, Code, UserError


async def create(call: Call) -> web.StreamResponse:
    """Make a sandbox that stays until its time is over or it is stopped."""
    request = await call.read(SandboxRequest, MAX_POLICY_BODY)
    host = call.host
    reloads = host.sandboxes.reloads.count
    policy, _, written = await host.policies.compile(request.policy)
    place = await host.backends.that_proves(policy, request.options)
    options = settle(request.options, host.config.settings)
    check_options(policy, options)
    at = Workspace(request.workspace, call.who)
    with host.handovers.values(options.handover) as values:
        sends = sends_of(policy, options, host.config.settings, values)
        await host.approvals.admit(at, written, options.approved_policy, sends)
        creation = Creation(
            request.workspace,
            policy,
            place,
            options,
            request.facts,
            call.who,
            ephemeral=False,
            agent=request.policy.agent,
            written_hash=written.policy_hash,
            reloads=reloads,
            values=values,
        )
        sandbox, _ = await create_sandbox(creation, host, Stopwatch(host.clock))
    try:
        for each in options.publish:
            await publish(host, sandbox, each)
    except CleanroomError:
        await host.sandboxes.stop(sandbox, STOPPED)
        raise
    return answer(sandbox.record, 201)


async def show_list(call: Call) -> web.StreamResponse:
    """List living sandboxes, or all, newest first."""
    page = call.page()
    found = await call.host.store.sandboxes(page, every=call.flag("all"))
    following = found[-1].id if len(found) == page.limit else None
    return answer(SandboxList(sandboxes=[_now(call, each) for each in found], next=following))


async def get(call: Call) -> web.StreamResponse:
    """Show one sandbox, ended ones too."""
    return answer(await find(call))


async def stop(call: Call) -> web.StreamResponse:
    """End a sandbox and everything in it; what ran there is recorded then. Idempotent."""
    live = call.live_sandbox()
    if live is None:
        return answer(await find(call))
    await end_wholly(call.host, live)
    return answer(live.record)


async def extend(call: Call) -> web.StreamResponse:
    """Let a sandbox live this long from now on, longer or shorter than before."""
    request = await call.read(ExtendRequest)
    live = call.live_sandbox()
    if live is None:
        stored = await find(call)
        message = f"cannot extend the sandbox: it is {stored.state}"
        raise UserError(Code.CONFLICT, message, "create another one")
    await call.host.sandboxes.extend(live, request.ttl_s)
    return answer(live.record)


async def remove(call: Call) -> web.StreamResponse:
    """Forget a sandbox that has ended; with `force`, end it first. A second call finds none."""
    live = call.live_sandbox()
    if live is not None:
        if not call.flag("force"):
            word = live.record.name or live.record.id
            message = f"cannot remove the sandbox '{word}': it is {live.record.state}"
            raise UserError(Code.CONFLICT, message, f"cleanroom sandboxes rm --force {word}")
        await end_wholly(call.host, live)
    record = live.record if live is not None else await find(call)
    await forget_sandbox(call.host, record)
    return answer(record)


async def prune(call: Call) -> web.StreamResponse:
    """Forget every sandbox that ended long enough ago."""
    request = await call.read(PruneRequest)
    return answer(PruneReport(removed=await forget_older(call.host, request.older_than_s)))


async def events(call: Call) -> web.StreamResponse:
    """Stream what happened; with `follow`, until the sandbox has ended."""
    after = call.number("after", 0, 2**53)
    follow = call.flag("follow")
    live = call.live_sandbox()
    record = live.record if live is not None else await find(call)
    async with NdjsonStream(call.request) as stream:
        if live is None:
            for line in await past_events(call.host, record.id):
                if line.sequence > after:
                    await stream.send(codec.encode_line(line))
        else:
            while True:
                for line in live.events.after(after):
                    after = line.sequence
                    await stream.send(codec.encode_line(line))
                if live.events.after(after):
                    continue
                if live.events.ended or not follow:
                    break
                await stream.until(live.events.changed())
            record = live.record
        await stream.send(codec.encode_line(ExitLine(sandbox=record)))
    return stream.response


async def find(call: Call) -> Sandbox:
    """Return the sandbox that the path names. Raises UserError(sandbox_not_found)."""
    return await find_word(call, call.sandbox_word)


async def find_word(call: Call, word: str) -> Sandbox:
    """Return the sandbox with this id or name. Raises UserError(sandbox_not_found)."""
    checked = ids.sandbox_word(word)
    live = call.host.sandboxes.find(checked)
    if live is not None:
        return live.record
    stored = await call.host.store.sandbox(checked)
    if stored is None:
        raise no_sandbox(checked)
    return stored


def _now(call: Call, stored: Sandbox) -> Sandbox:
    live = call.host.sandboxes.find(stored.id)
    return live.record if live is not None else stored
