"""Policies: judged, explained, asked, extended, begun.

In: policy texts. Out: plans, verdicts, texts. Never: a sandbox, or a file; the client writes files.
"""

import asyncio
import json

from aiohttp import web

from cleanroom.api.policy_types import (
    ApprovalRequest,
    LockfileNames,
    PolicyApproval,
    PolicyCheck,
    PolicyCheckRequest,
    PolicyDiff,
    PolicyDiffRequest,
    PolicyExplanation,
    PolicyInit,
    PolicyInitRequest,
    PolicyReload,
    PolicyReloadRequest,
    PolicyRequest,
    PolicySuggestion,
    PolicySuggestRequest,
)
from cleanroom.api.types import Denial, Run, RunOptions
from cleanroom.daemon.approvals import Finding, Workspace, bound, not_agreed
from cleanroom.daemon.call import Call, answer
from cleanroom.daemon.handlers import runs
from cleanroom.daemon.host_networks import read_host_networks
from cleanroom.daemon.narrowing import narrow
from cleanroom.daemon.policies import MAX_POLICY_BODY, lockfiles_of
from cleanroom.daemon.policy_reports import changes_of, check_of, report_of, rule_of
from cleanroom.decide.address import Guard, judge_address, make_guard
from cleanroom.decide.mirror import mirrors_for
from cleanroom.decide.tcp import decide_target, parse_address
from cleanroom.errors import Code, UserError
from cleanroom.policy.explain import explain as explain_plan
from cleanroom.policy.hosts import InvalidHostError
from cleanroom.policy.init import InitFacts, init_policy
from cleanroom.policy.insert import insert_rules
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.reach import reach_of
from cleanroom.policy.schema import policy_schema
from cleanroom.policy.suggest import Refusal, suggest_rules
from cleanroom.policy.widening import difference

# Lock files come as texts; a client leaves out what is larger.
MAX_INIT_BODY = 16 * 1024 * 1024


async def lockfiles(call: Call) -> web.StreamResponse:
    """Return which lock files a policy names: the client then sends their texts with it."""
    request = await call.read(PolicyRequest)
    patterns = lockfiles_of(request.policy)
    if patterns:
        call.host.policies.readers.prepare()
    return answer(LockfileNames(patterns=list(patterns)))


async def validate(call: Call) -> web.StreamResponse:
    """Return the effective plan, or every fault with its place."""
    request = await call.read(PolicyRequest, MAX_POLICY_BODY)
    policy, notes, _ = await call.host.policies.study(request.policy)
    place = await call.host.backends.place(policy, RunOptions(backend=request.backend))
    return answer(report_of(policy, place, notes))


async def explain(call: Call) -> web.StreamResponse:
    """Return the policy in sentences."""
    request = await call.read(PolicyRequest, MAX_POLICY_BODY)
    policy, notes, _ = await call.host.policies.study(request.policy)
    plan = explain_plan(policy)
    return answer(
        PolicyExplanation(
            policy_hash=policy.policy_hash,
            lines=list(plan.lines()),
            notes=[
                *notes,
                *(each.text for each in mirrors_for(call.host.config.settings.mirrors, policy)),
                *plan.notes,
            ],
        )
    )


async def check(call: Call) -> web.StreamResponse:
    """Return the verdict on one target."""
    request = await call.read(PolicyCheckRequest, MAX_POLICY_BODY)
    policy, _, _ = await call.host.policies.compile(request.policy)
    try:
        verdict = decide_target(policy, _guard(call), request.host, request.port)
    except InvalidHostError as error:
        message = f"cannot check this host: {error}"
        raise UserError(Code.REQUEST_INVALID, message, "write HOST:PORT") from error
    answered: PolicyCheck = check_of(policy, verdict, request)
    return answer(answered)


async def suggest(call: Call) -> web.StreamResponse:
    """Return the smallest rules for what a run was refused, and the file with them."""
    request = await call.read(PolicySuggestRequest, MAX_POLICY_BODY)
    policy, _, _ = await call.host.policies.compile(request.policy)
    run = await _run_of(call, request)
    said = () if request.run_id else call.host.turned_away.said(request.workspace)
    guard = _guard(call)
    refusals = [_refusal(denial, guard) for denial in runs.now(call, run).denied]
    # Each of them is looked for in all that lock files pin.
    suggestion = await asyncio.to_thread(suggest_rules, refusals, policy)
    path = request.policy.path or "cleanroom.yaml"
    before = request.policy.text
    text = before or ""
    if suggestion.rules:
        text = insert_rules(before, suggestion.rules, path)
    return answer(
        PolicySuggestion(
            run_id=run.id,
            rules=[rule_of(rule) for rule in suggestion.rules],
            text=text,
            changed=text != (before or ""),
            notes=[*said, *suggestion.notes],
        )
    )


async def diff(call: Call) -> web.StreamResponse:
    """Return what a newer text permits beyond an older one, and what no longer."""
    request = await call.read(PolicyDiffRequest, 2 * MAX_POLICY_BODY)
    old, _, _ = await call.host.policies.compile(request.old)
    new, _, _ = await call.host.policies.compile(request.new)
    found = await asyncio.to_thread(difference, old, new)
    return answer(
        PolicyDiff(
            old_hash=old.policy_hash,
            new_hash=new.policy_hash,
            wider=bool(found.wider),
            changes=changes_of(found),
        )
    )


async def approve(call: Call) -> web.StreamResponse:
    """Record that a person agreed to a policy for a folder, or only say what it would mean."""
    request = await call.read(ApprovalRequest, MAX_POLICY_BODY)
    _, _, policy = await call.host.policies.compile(request.policy)
    at = Workspace(request.workspace, call.who)
    if request.check:
        finding = await call.host.approvals.look(at, policy)
    else:
        finding = await call.host.approvals.approve(at, policy, request.policy_hash)
    return answer(
        PolicyApproval(
            policy_hash=policy.policy_hash,
            approved=finding.same or not request.check,
            needed=bool(finding.reason),
            reason=finding.reason,
            reach=list(reach_of(policy).lines()),
            changes=changes_of(finding.difference),
            secrets=_not_approved(finding, policy) if request.check else [],
        )
    )


async def reload(call: Call) -> web.StreamResponse:
    """Hold living sandboxes to what a policy no longer permits."""
    request = await call.read(PolicyReloadRequest, MAX_POLICY_BODY)
    return answer(PolicyReload(sandboxes=await narrow(request, call.host, call.who)))


def _not_approved(finding: Finding, policy: CompiledPolicy) -> list[str]:
    lacking = not_agreed(finding.agreed, bound(policy))
    return [f"secret {secret} to {', '.join(hosts)}" for secret, hosts in lacking.items()]


async def init(call: Call) -> web.StreamResponse:
    """Return the text of a first policy."""
    request = await call.read(PolicyInitRequest, MAX_INIT_BODY)
    facts = InitFacts(
        project=request.project,
        lockfiles=tuple(request.lockfiles.items()),
        managers=tuple(request.managers),
        configured={name: tuple(hosts) for name, hosts in request.configured.items()},
        defaults={name: tuple(hosts) for name, hosts in request.defaults.items()},
        git_remotes=tuple(request.git_remotes),
        repositories={path: tuple(hosts) for path, hosts in request.repositories.items()},
    )
    return answer(PolicyInit(text=init_policy(facts)))


async def schema(_call: Call) -> web.StreamResponse:
    """Return the JSON Schema of cleanroom.yaml."""
    return web.Response(text=json.dumps(policy_schema(), indent=1), content_type="application/json")


async def _run_of(call: Call, request: PolicySuggestRequest) -> Run:
    if request.run_id is not None:
        return await runs.find(call, request.run_id)
    found = await call.host.store.last_run_in(request.workspace)
    if found is None:
        message = "cannot suggest rules: nothing has run in this workspace"
        raise UserError(Code.EXECUTION_NOT_FOUND, message, "run a command first: cleanroom exec")
    return found


def _guard(call: Call) -> Guard:
    return make_guard(call.host.config.settings.gateway.private_hosts, read_host_networks())


def _refusal(denial: Denial, guard: Guard) -> Refusal:
    literal = None if denial.name else parse_address(denial.address)
    # No rule would be enough for an address that is not dialled either.
    refused = None if literal is None else judge_address(guard, "", literal)
    return Refusal(
        name=denial.name,
        port=denial.port,
        address=denial.address,
        protocol=denial.protocol,
        code=refused.code if refused else denial.code,
        reason=refused.reason if refused else denial.reason,
        artifact=denial.artifact,
        registry=denial.registry,
    )
