"""Which values a run takes, and where each may go by whose word.

In: a policy, what the caller's flags and the operator's configuration say. Out: SecretNeeds, what
approval has to be asked for. Never: a value; a host approved by nobody but the policy itself.
"""

from collections.abc import Container, Mapping, Sequence

from cleanroom.api.secret_types import (
    MirrorNeed,
    SecretNeed,
    SecretNeeds,
    SecretNeedsRequest,
    SecretSource,
)
from cleanroom.api.types import RunOptions
from cleanroom.daemon.approvals import Sends, Workspace, bound, not_agreed
from cleanroom.daemon.host import Host
from cleanroom.daemon.settings import SecretSource as Source
from cleanroom.daemon.settings import Settings
from cleanroom.daemon.taking import is_there
from cleanroom.decide.mirror import Mirror, mirrors_for
from cleanroom.errors import Code, Refused, UserError
from cleanroom.policy.model import CompiledPolicy, SecretBinding
from cleanroom.sandbox.git_settings import VARIABLES, needs_variables


async def needs_of_run(request: SecretNeedsRequest, host: Host, who: str) -> SecretNeeds:
    """Return every binding. Raises, if asked to, what the run itself would raise."""
    policy, _, written = await host.policies.compile(request.policy)
    options = request.options
    at = Workspace(request.workspace, who)
    check_options(policy, options)
    taken = not is_there(options, request.workspace, policy.policy_hash, host)
    settings = host.config.settings
    sources = dict(settings.secrets)
    if request.run:
        await host.backends.that_proves(policy, options)
        if taken:
            found = {*options.secrets, *sources}  # a secret that nobody has goes nowhere
            sends = sends_of(policy, options, settings, found)
            await host.approvals.judge(at, written, options.approved_policy, sends)
    every = sends_of(policy, options, settings, bound(policy))
    mirrors = _mirrors(settings.mirrors, policy, sources)
    lacking = not_agreed((await host.approvals.look(at, written)).agreed, every)
    return SecretNeeds(
        secrets=[
            SecretNeed(
                id=binding.secret_id,
                env=binding.env,
                allowed_hosts=list(binding.allowed_hosts),
                ports=list(binding.ports),
                places=list(binding.target),
                required=binding.required,
                kind=binding.kind,
                header=binding.header,
                source=_source(binding.secret_id, sources),
                unapproved=list(lacking.get(binding.secret_id, ())),
            )
            for binding in policy.secrets
        ],
        taken=taken and bool(policy.secrets or mirrors),
        mirrors=mirrors,
    )


def sends_of(
    policy: CompiledPolicy, options: RunOptions, settings: Settings, given: Container[str]
) -> Sends:
    """Return, for each secret given, the hosts that neither a flag nor the operator names."""
    sources = dict(settings.secrets)
    sends: dict[str, tuple[str, ...]] = {}
    for binding in policy.secrets:
        if binding.secret_id in given:
            named = set(options.secrets.get(binding.secret_id, ()))
            source = sources.get(binding.secret_id)
            # What the operator says of a value does not hold for one that a flag names instead.
            flagged = binding.secret_id in options.secrets
            if source is not None and not flagged and _is_credential(binding):
                named |= set(source.hosts)
            sends[binding.secret_id] = tuple(h for h in binding.told_hosts if h not in named)
    return sends


def _is_credential(binding: SecretBinding) -> bool:
    """SECURITY: a host takes these fields as credentials, and does not publish them as content:
    a policy that nobody approved must not have a value written into a public page of that host.
    What tokens are minted with is posted in a form, to a path that the policy names.
    """
    is_usual = binding.header is None and {"header", "basic"}.issuperset(binding.target)
    pushes = binding.git is not None and binding.git.push is not None  # that is content, too
    return is_usual and binding.oauth2 is None and not pushes


def check_options(policy: CompiledPolicy, options: RunOptions) -> None:
    """Raise UserError where flags do not fit the bindings, or would take a placeholder's place."""
    bound = {binding.secret_id: binding for binding in policy.secrets}
    for secret_id, hosts in options.secrets.items():
        if secret_id not in bound:
            known = ", ".join(bound) or "none"
            message = f"cannot use the secret '{secret_id[:64]}': the policy binds none of this id"
            raise UserError(Code.REQUEST_INVALID, message, f"bound here: {known}")
        for host in hosts:
            _check_host(bound[secret_id], host)
    for binding in policy.secrets:
        if binding.env in options.environment:
            message = (
                f"cannot set {binding.env}: the secret '{binding.secret_id}' has that variable"
            )
            raise UserError(Code.REQUEST_INVALID, message, "leave it out, or rename the binding's")
    if needs_variables(policy):
        taken = next((name for name in options.environment if name.startswith(VARIABLES)), None)
        if taken is not None:
            message = f"cannot set {taken}: git has its settings in variables of that name"
            hint = "use git -c, or a file that GIT_CONFIG_GLOBAL names"
            raise UserError(Code.REQUEST_INVALID, message, hint)


def check_given(
    policy: CompiledPolicy, given: Container[str], mirrors: Sequence[Mirror] = ()
) -> None:
    """Raise Refused(secret_unavailable) where a required secret, or a mirror's, has no value."""
    for mirror in mirrors_for(mirrors, policy):
        if mirror.value_id and mirror.value_id not in given:
            message = f"cannot start: the secret '{mirror.auth}' of the mirror of {mirror.host}"
            hint = "run: cleanroom secrets check"
            raise Refused(Code.SECRET_UNAVAILABLE, f"{message} has no value", hint)
    for binding in policy.secrets:
        if binding.required and binding.secret_id not in given:
            message = f"cannot start: the secret '{binding.secret_id}' has no value"
            raise Refused(Code.SECRET_UNAVAILABLE, message, "run: cleanroom secrets check")


def _check_host(binding: SecretBinding, host: str) -> None:
    if host not in binding.told_hosts:
        where = ", ".join(binding.told_hosts)
        message = f"cannot approve {host[:253]} for '{binding.secret_id}': the policy does not"
        raise UserError(Code.REQUEST_INVALID, f"{message} bind it there", f"it binds: {where}")


def _mirrors(
    mirrors: Sequence[Mirror], policy: CompiledPolicy, sources: Mapping[str, Source]
) -> list[MirrorNeed]:
    """Return each secret that mirrors of this policy's registries want, once."""
    wanted: dict[str, list[Mirror]] = {}
    for mirror in mirrors_for(mirrors, policy):
        if mirror.auth:
            wanted.setdefault(mirror.auth, []).append(mirror)
    return [
        MirrorNeed(
            id=secret_id,
            value_id=those[0].value_id,
            mirror_of=[mirror.host for mirror in those],
            source=_source(secret_id, sources),
        )
        for secret_id, those in wanted.items()
    ]


def _source(secret_id: str, sources: Mapping[str, Source]) -> SecretSource | None:
    source = sources.get(secret_id)
    if source is None:
        return None
    return SecretSource(provider=source.provider, words=list(source.words))
