"""Policy texts compiled once: the only way from a client's text to what is enforced.

In: a PolicyText, with the texts of its lock files. Out: the CompiledPolicy and what a person should
know of it, by digest from the cache. Never: a file opened, the client sends the texts; a lock file
read in this process (lock_reader.py).
"""

import asyncio
import hashlib
from collections import OrderedDict
from typing import Final, NamedTuple

from cleanroom.api.policy_types import PolicyText
from cleanroom.daemon.lock_reader import Readers
from cleanroom.lockfile.paths import MAX_BYTES
from cleanroom.policy.agents import with_agent
from cleanroom.policy.compile import compile_nothing, compile_policy
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.parse import parse_policy
from cleanroom.policy.pins import Outcomes, lock_patterns, pin_policy
from cleanroom.policy.written import Policy

NO_POLICY: Final = (
    "no cleanroom.yaml here, so every connection is refused; write one with: cleanroom init"
)
SHADOWED: Final = "cleanroom.yaml is used, and .buildkite/cleanroom.yaml beside it is ignored"
# Of a request with a policy: JSON writes a quote or a line end of a lock file as two bytes.
MAX_POLICY_BODY: Final = MAX_BYTES + MAX_BYTES // 2

EMPTY: Final = "version: 1\n"  # as good as no policy
_CACHED: Final = 64
_CACHED_PINS: Final = 200_000


class Compiled(NamedTuple):
    """What is enforced, and what a person should be told of where it came from.

    `written` is the policy without what `exec --agent` adds: what approvals are about.
    """

    policy: CompiledPolicy
    notes: tuple[str, ...]
    written: CompiledPolicy


class Policies:
    """The compiler with its cache."""

    def __init__(self) -> None:
        self.readers = Readers()
        self._cache: OrderedDict[bytes, Compiled] = OrderedDict()
        # One reader at a time in each lane. Nobody waits in the first for more than a quick look at
        # each of the texts before; what needs more waits in the second, with its like.
        self._quick_lane = asyncio.Lock()
        self._slow_lane = asyncio.Lock()

    async def compile(self, policy: PolicyText) -> Compiled:
        """Return the compiled policy. Raises PolicyErrors with every fault of the texts, Fault.

        Its notes are those that every run says.
        """
        return (await self.study(policy))._replace(notes=_origin(policy))

    async def study(self, policy: PolicyText) -> Compiled:
        """Return the compiled policy, also with notes about its lock files. Raises PolicyErrors."""
        if policy.text is None and not policy.agent:
            nothing = compile_nothing()
            return Compiled(nothing, _origin(policy), nothing)
        text = EMPTY if policy.text is None else policy.text
        if policy.lockfiles:
            digest = await asyncio.to_thread(_digest, policy)
            # What is known waits for nobody's reader.
            made = self._cache.get(digest) or await self._read(digest, policy, text)
        else:
            digest = _digest(policy)
            made = self._cache.get(digest) or _compile(
                parse_policy(text, policy.path), {}, policy.agent
            )
        self._keep(digest, made)
        return made._replace(notes=(*_origin(policy), *made.notes))

    async def _read(self, digest: bytes, policy: PolicyText, text: str) -> Compiled:
        parsed = parse_policy(text, policy.path)
        async with self._quick_lane:
            if made := self._cache.get(digest):  # who comes late finds what the first has made
                return made
            found = await self.readers.read_quickly(policy.lockfiles)
            if found is not None:
                made = await self._make(digest, policy, parsed, found)
                self.readers.prepare()
                return made
        async with self._slow_lane:
            if made := self._cache.get(digest):
                return made
            found = await self.readers.read_apart(policy.lockfiles)
            return await self._make(digest, policy, parsed, found)

    async def _make(
        self, digest: bytes, policy: PolicyText, parsed: Policy, found: Outcomes
    ) -> Compiled:
        made = await asyncio.to_thread(_compile, parsed, found, policy.agent)
        self._keep(digest, made)
        return made

    def _keep(self, digest: bytes, made: Compiled) -> None:
        self._cache[digest] = made
        self._cache.move_to_end(digest)
        while len(self._cache) > 1 and (
            len(self._cache) > _CACHED or sum(map(_pins, self._cache.values())) > _CACHED_PINS
        ):
            self._cache.popitem(last=False)


def lockfiles_of(policy: PolicyText) -> tuple[str, ...]:
    """Return the paths and globs whose files the client has to send. Raises PolicyErrors."""
    if policy.text is None:
        return ()
    return lock_patterns(parse_policy(policy.text, policy.path))


def _compile(policy: Policy, found: Outcomes, agent: str) -> Compiled:
    pinned = pin_policy(policy, found)
    written = compile_policy(pinned.policy)
    if not agent:
        return Compiled(written, pinned.notes, written)
    return Compiled(compile_policy(with_agent(pinned.policy, agent)), pinned.notes, written)


def _digest(policy: PolicyText) -> bytes:
    """Return what equal texts share: each length is written before its text."""
    digest = hashlib.sha256()
    lockfiles = (each for pair in sorted(policy.lockfiles.items()) for each in pair)
    for word in (policy.path, policy.text or "", policy.agent, *lockfiles):
        data = word.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.digest()


def _pins(made: Compiled) -> int:
    return sum(len(each.artifact_allowlist) + len(each.unpinned) for each in made.policy.registries)


def _origin(policy: PolicyText) -> tuple[str, ...]:
    notes = [NO_POLICY] if policy.text is None else []
    if policy.agent:
        name, _, login = policy.agent[:80].partition("/")
        adds = f"the secret {login}" if login not in ("", name) else "the secret"
        notes = [f"--agent adds the hosts and {adds} of {name} to this run"]
    return (*notes, SHADOWED) if policy.shadowed else tuple(notes)
