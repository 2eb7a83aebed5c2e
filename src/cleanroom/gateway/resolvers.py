"""The operator's own resolvers (`gateway.resolvers`), asked by our own client.

In: canonical names. Out: addresses, IPv6 first. Never: the host's resolver, /etc/hosts, a search
list. Blocking: runs in the resolver's threads.
"""

import secrets
import socket
import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from cleanroom.decide.dns import AAAA, A
from cleanroom.gateway.layers.lookup import Found, encode_question, is_answer_to, read_answer
from cleanroom.gateway.resolver import Resolved

_TRY_S: Final = 2.0
_TRIES: Final = 2  # of each resolver
_DNS_PORT: Final = 53
_MAX_ANSWER: Final = 65535


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resolver listens."""

    address: str
    port: int

    @property
    def family(self) -> int:
        """Return its address family."""
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET


def parse_place(text: str) -> Place:
    """Read "IP", "IP:PORT" or "[IP6]:PORT". Raises ValueError."""
    address, port = text, str(_DNS_PORT)
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    return Place(str(ip_address(address)), int(port))


class OwnResolvers:
    """Asks each in its turn until one answers; implements Lookup."""

    def __init__(self, places: tuple[Place, ...]) -> None:
        self._places = places

    def __call__(self, name: str) -> Resolved:
        """Return the addresses of both families."""
        found = [self._ask_all(name, qtype) for qtype in (AAAA, A)]
        addresses = tuple(address for answer in found for address in answer.addresses)
        why = found[-1].why or "does not exist, says the operator's resolver"
        return Resolved(addresses, "" if addresses else why)

    def _ask_all(self, name: str, qtype: int) -> Found:
        found = Found(why="cannot be resolved: no resolver of the operator answers")
        for place in self._places * _TRIES:
            try:
                found = _ask(place, name, qtype)
            except OSError:
                continue
            if not found.why:
                return found
        return found


def _ask(place: Place, name: str, qtype: int) -> Found:
    question = encode_question(secrets.randbits(16), name, qtype)
    found = read_answer(question, _over_udp(place, question), qtype)
    if found.truncated:
        found = read_answer(question, _over_tcp(place, question), qtype)
    return found


def _over_udp(place: Place, question: bytes) -> bytes:
    deadline = time.monotonic() + _TRY_S
    with socket.socket(place.family, socket.SOCK_DGRAM) as asking:
        asking.connect((place.address, place.port))  # only the resolver itself can answer
        asking.send(question)
        while (left_s := deadline - time.monotonic()) > 0:
            asking.settimeout(left_s)
            answer = asking.recv(_MAX_ANSWER)
            if is_answer_to(question, answer):
                return answer
    raise TimeoutError


def _over_tcp(place: Place, question: bytes) -> bytes:
    with socket.create_connection((place.address, place.port), timeout=_TRY_S) as asking:
        asking.sendall(len(question).to_bytes(2, "big") + question)
        with asking.makefile("rb") as stream:
            answer = stream.read(int.from_bytes(stream.read(2), "big"))
    if not is_answer_to(question, answer):
        raise ConnectionError
    return answer
