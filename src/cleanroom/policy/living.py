"""What of a newer policy a sandbox can be held to that lives already.

In: the policy it is held to, the newer one. Out: Hold. Never: a step that widens; a part of the
newer policy passed over: what a living sandbox keeps from its making is named.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cleanroom.policy.compile import with_reach
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.opened import OpenedName, opened_names
from cleanroom.policy.widening import widening
from cleanroom.policy.widening_values import Change


@dataclass(frozen=True, slots=True)
class Hold:
    """How a newer policy stands to a living sandbox.

    `wider` and `untrusted` are why it cannot be held to it, `policy` is then the one it has. Else
    `narrower` holds at once, `later` for the next sandbox only.
    """

    policy: CompiledPolicy
    wider: tuple[Change, ...] = ()
    untrusted: tuple[str, ...] = ()  # names whose TLS would be opened, as a policy writes them
    narrower: tuple[Change, ...] = ()
    later: tuple[Change, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether the sandbox stays as it is, because it would have to be another one."""
        return bool(self.wider or self.untrusted)


def hold(running: CompiledPolicy, new: CompiledPolicy) -> Hold:
    """Return what becomes of a sandbox that is held to `running`.

    Its network, registries and secrets can be narrowed; its limits, its isolation, its time and its
    tools are those it was made with. What its programs trust is so, too: the authority of the
    sandbox speaks for the names that it was made for, and for no others.
    """
    wider = widening(running, new)
    known = opened_names(running)
    untrusted = tuple(_text(name) for name in opened_names(new) if not _is_among(name, known))
    if wider or untrusted:
        return Hold(running, wider, untrusted)
    held = with_reach(running, new)
    return Hold(
        held,
        narrower=_reversed(widening(held, running)),
        later=_reversed(widening(new, held)),
    )


def _reversed(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(change.reversed() for change in changes)


def _is_among(name: OpenedName, known: tuple[OpenedName, ...]) -> bool:
    return any(
        name == each or (each.below and name.value.endswith(f".{each.value}")) for each in known
    )


def _text(name: OpenedName) -> str:
    return f"*.{name.value}" if name.below else name.value
