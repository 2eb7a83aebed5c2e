"""`gateway.host_services` of config.yaml: a mapping of a name and port inside to a loopback place.

In: nothing. Out: HOST_SERVICES. Never: an address that is not this host's loopback.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from cleanroom.decide.services import read_inside, read_outside
from cleanroom.policy.fields import Key, Leaf, MapOf, Wrong
from cleanroom.policy.hosts import InvalidHostError
from cleanroom.policy.nodes import Scalar

T = TypeVar("T")


def _checked(read: Callable[[str], T], words: str) -> Leaf[str]:
    """Return the type of texts that `read` takes; they stay texts."""

    def parse(node: Scalar) -> str:
        try:
            read(node.text)
        except InvalidHostError as error:
            raise Wrong(error.message, error.hint) from error
        return node.text

    return Leaf(parse, words, {"type": "string", "maxLength": 300})


HOST_SERVICES: Final = Key(
    "host_services",
    MapOf(
        _checked(read_inside, "NAME:PORT"),
        _checked(read_outside, "ADDRESS:PORT"),
        64,
        "mapping of NAME:PORT inside to ADDRESS:PORT of this host's loopback",
    ),
    (),
    "Services of this host that sandboxes reach by a name. A policy must allow them too.",
    "none",
)
