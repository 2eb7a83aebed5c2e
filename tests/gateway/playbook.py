"""The conversation DSL: what happens to a layer, and what it does about it.

    assert Play(layer) >> Opened() << [Dial()] >> Dialled("203.0.113.7") << [Report(ANY), Relay()]

`>>` gives the layer an event, `<<` says which commands it must have answered with. An event whose
commands are not said must have had none.
"""

from collections.abc import Sequence
from typing import Self

from cleanroom.events import NetworkEvent
from cleanroom.gateway.wire import Command, Event, Layer, Report


class Play:
    """One conversation. True when everything said was so."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._unsaid: list[Command] = []
        self.reports: list[NetworkEvent] = []

    def __rshift__(self, event: Event) -> Self:
        assert self._unsaid == [], f"nobody expected {self._unsaid}"
        self._unsaid = list(self._layer.handle(event))
        self.reports += [c.event for c in self._unsaid if isinstance(c, Report)]
        return self

    def __lshift__(self, commands: Sequence[object]) -> Self:
        said = [
            command.event if isinstance(command, Report) else command for command in self._unsaid
        ]
        assert said == list(commands)
        self._unsaid = []
        return self

    def unsaid(self) -> list[Command]:
        """Take the commands of the last event, for a test that looks at them itself."""
        commands, self._unsaid = self._unsaid, []
        return commands

    def __bool__(self) -> bool:
        assert self._unsaid == [], f"nobody expected {self._unsaid}"
        return True


class Verdict:
    """Equal to a reported event with this code ("" for allowed) and these members."""

    def __init__(self, code: str = "", **members: object) -> None:
        self._members = {"code": code, "allowed": not code, "phase": "verdict", **members}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NetworkEvent) and all(
            getattr(other, name) == value for name, value in self._members.items()
        )

    def __hash__(self) -> int:
        return hash(tuple(self._members))

    def __repr__(self) -> str:
        return f"Verdict({self._members})"
