"""Secret bindings compared: where a value may go now that it could not go before.

In: the bindings of two policies. Out: Changes. Never: a binding matched by anything but its id.
"""

from collections.abc import Iterator
from typing import Final

from cleanroom.policy.model import GitScope, OAuth2, PushRules, SecretBinding
from cleanroom.policy.patterns import covered
from cleanroom.policy.widening_values import Change, added, changed, more, other_fields, turned

# Whether a run starts without the value sends it nowhere.
NEUTRAL: Final = frozenset({"secret_id", "place", "required"})


def widened_secrets(
    old: tuple[SecretBinding, ...], new: tuple[SecretBinding, ...]
) -> Iterator[Change]:
    """Yield what each newer binding permits beyond the older one of its id."""
    before = {each.secret_id: each for each in old}
    for binding in new:
        known = before.get(binding.secret_id)
        if known is None:
            yield Change(f"secret {secret_text(binding)}")
        else:
            yield from _secret(f"secret {binding.secret_id}", known, binding)


def secret_text(binding: SecretBinding) -> str:
    """Return a binding in words: `github (GH_TOKEN) to api.example on port 443`."""
    hosts = ", ".join(binding.allowed_hosts)
    ports = ", ".join(map(str, binding.ports))
    text = f"{binding.secret_id} ({binding.env}) to {hosts} on port {ports}"
    text += f", minted at {token_url(binding.oauth2)}" if binding.oauth2 else ""
    return f"{text}, {git_text(binding.git)}" if binding.git else text


def token_url(at: OAuth2) -> str:
    """Return where tokens are minted."""
    port = "" if at.port == 443 else f":{at.port}"
    return f"https://{at.host}{port}{at.path}"


def git_text(git: GitScope) -> str:
    """Return in words what git may do with a secret."""
    pushed = "" if git.push is None else f", to push {push_text(git.push)}"
    return f"for git repositories {', '.join(git.repositories)}{pushed}"


def push_text(push: PushRules) -> str:
    """Return in words what may be pushed."""
    words = [f"branches {', '.join(push.branches)}"]
    words += ["by force"] if push.force else []
    words += ["and delete them"] if push.delete else []
    return " ".join(words)


def _secret(name: str, old: SecretBinding, new: SecretBinding) -> Iterator[Change]:
    yield from added(f"{name} to", old.allowed_hosts, new.allowed_hosts)
    yield from added(f"{name} on port", old.ports, new.ports)
    yield from added(f"{name} in", old.target, new.target)
    yield from changed(f"{name} in header", old.header, new.header)
    yield from changed(f"{name} as variable", old.env, new.env)
    yield from _paths(f"{name} below path", old.paths, new.paths)
    if old.methods:
        yield from added(f"{name} with method", old.methods, new.methods or ("any",))
    yield from more(f"{name} ttl", old.ttl_s, new.ttl_s)
    yield from turned(f"{name} single_use", old.single_use, new.single_use, to=False)
    if new.on_violation == "block":
        yield from changed(f"{name} on_violation", old.on_violation, new.on_violation)
    yield from _git(f"{name} git", old.git, new.git)
    known = {
        "allowed_hosts", "ports", "target", "header", "env", "paths", "methods", "ttl_s",
        "single_use", "on_violation", "git",
    }  # fmt: skip
    yield from other_fields(name, old, new, known | NEUTRAL)


def _git(name: str, old: GitScope | None, new: GitScope | None) -> Iterator[Change]:
    """Without `git` a secret goes to all paths of its hosts, in fields that the rest names."""
    if old is None or new is None:
        yield from changed(name, old, new)
        return
    for repository in new.repositories:
        if not covered(old.repositories, repository):
            yield Change(f"{name} repositories: {repository}")
    yield from changed(f"{name} username", old.username, new.username)
    before, after = old.push or PushRules(()), new.push or PushRules(())
    for branch in after.branches:
        if not covered(before.branches, branch):
            yield Change(f"{name} push branches: {branch}")
    yield from turned(f"{name} push force", before.force, after.force, to=True)
    yield from turned(f"{name} push delete", before.delete, after.delete, to=True)
    yield from other_fields(f"{name} push", before, after, {"branches", "force", "delete"})
    yield from other_fields(name, old, new, {"repositories", "username", "push"})


def _paths(name: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Change]:
    if not old:
        return
    for path in new or ("any",):
        if not any(is_below(path, prefix) for prefix in old):
            yield Change(f"{name}: {path}")


def is_below(path: str, prefix: str) -> bool:
    """Tell whether a path is the prefix or lies below it: `/apix` is not below `/api`."""
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else f"{prefix}/")
