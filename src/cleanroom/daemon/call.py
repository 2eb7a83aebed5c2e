"""One request as handlers see it: bounded, decoded, with the words of its path checked.

In: aiohttp's request. Out: messages, words, flags. Never: a body without a bound in size and time,
or a query parameter that nobody reads.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from cleanroom.api import codec
from cleanroom.api.codec import MessageT
from cleanroom.api.endpoints import Endpoint
from cleanroom.api.message import Message
from cleanroom.daemon import ids
from cleanroom.daemon.activity import Activity
from cleanroom.daemon.host import Host
from cleanroom.daemon.sandbox import LiveRun, LiveSandbox
from cleanroom.daemon.store import Page
from cleanroom.errors import Code, UserError

AGO: Final = re.compile(r"(\d{1,10}(?:\.\d{1,3})?)s", re.ASCII)  # seconds ago, in a query
MAX_BODY: Final = 1024 * 1024
BODY_S: Final = 30.0  # a slow client has this long for its body


@dataclass(frozen=True, slots=True)
class Call:
    """A request, the endpoint it is for, who sent it, and what else goes on."""

    request: web.Request
    endpoint: Endpoint
    host: Host
    who: str
    activity: Activity

    async def body(self, most: int = MAX_BODY) -> bytes:
        """Return the body. Raises HTTPRequestEntityTooLarge, HTTPRequestTimeout, UserError."""
        length = self.request.content_length
        if self.request.headers.get("Content-Encoding", "identity") != "identity":
            raise web.HTTPUnsupportedMediaType
        if length is not None and length > most:
            raise web.HTTPRequestEntityTooLarge(most, length)
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                async for chunk in self.request.content.iter_any():
                    body += chunk
                    if len(body) > most:
                        raise web.HTTPRequestEntityTooLarge(most, len(body))
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        return bytes(body)

    async def read(self, kind: type[MessageT], most: int = MAX_BODY) -> MessageT:
        """Return the body as a message. Raises UserError(request_invalid)."""
        return codec.decode(await self.body(most), kind)

    @property
    def sandbox_word(self) -> str:
        """The id or name of a sandbox in the path."""
        return ids.sandbox_word(self.request.match_info["sandbox_id"])

    @property
    def execution_id(self) -> str:
        """The id of an execution in the path."""
        return ids.execution_id(self.request.match_info["execution_id"])

    def live_sandbox(self) -> LiveSandbox | None:
        """Return the living sandbox that the path names."""
        return self.host.sandboxes.find(self.sandbox_word)

    def live_run(self) -> LiveRun | None:
        """Return the unfinished run of the execution that the path names."""
        sandbox = self.live_sandbox()
        return sandbox.run_of(self.execution_id) if sandbox is not None else None

    def started_run(self) -> LiveRun | None:
        """Return the run that the path names, unfinished or finished not long ago."""
        run = self.live_run() or self.host.recent.get(self.execution_id)
        if run is None or run.live is None or self.sandbox_word not in _words(run):
            return None
        return run

    def flag(self, name: str) -> bool:
        """Return a query parameter that is true or false; absent is false."""
        said = self.request.query.get(name, "false")
        if said not in ("true", "false", "1", "0", ""):
            raise _bad_query(name, "true or false")
        return said in ("true", "1", "")

    def number(self, name: str, default: int, most: int) -> int:
        """Return a query parameter that is a whole number from 0 to `most`."""
        said = self.request.query.get(name)
        if said is None:
            return default
        if not (said.isascii() and said.isdigit() and len(said) < 19 and int(said) <= most):
            raise _bad_query(name, f"a whole number up to {most}")
        return int(said)

    def choice(self, name: str, words: tuple[str, ...]) -> str:
        """Return a query parameter that is one of these words; absent is the first."""
        said = self.request.query.get(name, words[0])
        if said not in words:
            raise _bad_query(name, f"one of {', '.join(words)}")
        return said

    def page(self) -> Page:
        """Return which part of a list is wanted."""
        before = self.request.query.get("before")
        if before is not None and len(before) > 100:
            name = "before"
            raise _bad_query(name, "an id")
        return Page(max(1, self.number("limit", 100, 1000)), before)


def _words(run: LiveRun) -> tuple[str, str | None]:
    return run.record.sandbox_id, run.sandbox_name


def refuse_unknown_query(query: Mapping[str, str], endpoint: Endpoint) -> None:
    """Raise UserError for a parameter that the endpoint does not have."""
    for name in query:
        if name not in endpoint.query:
            known = ", ".join(endpoint.query) or "none"
            message = f"cannot use the query parameter '{name[:40]}'"
            raise UserError(Code.REQUEST_INVALID, message, f"known here: {known}")


def answer(message: Message, status: int = 200) -> web.Response:
    """Return a message as the whole response."""
    return web.Response(body=codec.encode(message), status=status, content_type="application/json")


def no_sandbox(word: str) -> UserError:
    """Return the error for a sandbox that never existed."""
    message = f"cannot find the sandbox '{word}'"
    return UserError(Code.SANDBOX_NOT_FOUND, message, "run: cleanroom sandboxes list")


def no_execution(word: str) -> UserError:
    """Return the error for an execution that never existed in this sandbox."""
    message = f"cannot find the execution '{word}' in this sandbox"
    return UserError(Code.EXECUTION_NOT_FOUND, message, "run: cleanroom executions list SANDBOX")


def _bad_query(name: str, wanted: str) -> UserError:
    return UserError(Code.REQUEST_INVALID, f"cannot read the query parameter '{name}': {wanted}")
