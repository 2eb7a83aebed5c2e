"""What node's own parser, strict llhttp, sees in byte streams: many at once, in one process.

In: streams of requests, or answers with the method they answer. Out: the messages in each, None
where node refuses. Never: a socket.
"""

import base64
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.gateway.http1.oracles import Messages, Seen

PROGRAM = Path(__file__).with_name("node_oracle.js")


def node_reads(streams: Sequence[tuple[str, bytes]]) -> list[Messages | None]:
    """Return what node sees in each (method, stream); method "": these are requests."""
    lines = [json.dumps([method, base64.b64encode(data).decode()]) for method, data in streams]
    done = subprocess.run(
        ["/usr/bin/env", "node", PROGRAM],
        input="\n".join(lines).encode(),
        capture_output=True,
        check=True,
        timeout=600,
    )
    return [_messages(line) for line in done.stdout.splitlines()]


def node_methods() -> frozenset[str]:
    """Return the methods that llhttp knows; every other is a refusal of its own."""
    words = ["/usr/bin/env", "node", "-p", "require('http').METHODS.join(' ')"]
    return frozenset(subprocess.check_output(words, text=True, timeout=60).split())


def _messages(line: bytes) -> Messages | None:
    found = json.loads(line)
    if found is None:
        return None
    return tuple(Seen(start, base64.b64decode(body), whole) for start, body, whole in found)
