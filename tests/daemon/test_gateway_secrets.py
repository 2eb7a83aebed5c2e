"""Secrets in a real, confined gateway: what the upstream reads, what the guest reads, the end."""

import asyncio
import dataclasses
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cleanroom.daemon.gateway_link import GatewayLink
from cleanroom.daemon.settings import GatewaySettings
from cleanroom.policy.model import CompiledPolicy, SecretBinding
from tests.daemon.test_gateway_link import Journal, linked, run
from tests.decide.policies import policy
from tests.gateway.certificates import authority, server
from tests.gateway.guests import Guest
from tests.gateway.resolvers_of_tests import table_server

pytestmark = pytest.mark.usefixtures("programs")

VALUE = b"ghp_0123456789abcdefghijABCDEFGHIJ012345"

# `ask` on one kept connection; prints what came, line by line.
PROGRAM = """
import ssl
trusted = ssl.create_default_context(cadata={certificate!r})
def dial():
    place = socket.getaddrinfo('up.test', {port}, type=socket.SOCK_STREAM)[0][4]
    plain = socket.create_connection(place[:2], timeout=60)
    return trusted.wrap_socket(plain, server_hostname='up.test')
def ask(link, fields=''):
    link.sendall(('GET /x HTTP/1.1\\r\\nHost: up.test:{port}\\r\\n' + fields + '\\r\\n').encode())
    got = b''
    while not got.endswith(b'0\\r\\n\\r\\n') and (piece := link.recv(65536)):
        got += piece
    return got
def is_cut(link):
    try:
        return link.recv(1) == b''
    except OSError:
        return True
"""


@asynccontextmanager
async def echoing(shown: ssl.SSLContext) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve a port on loopback that answers each request with the request."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                got.append(head)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=shown)
    async with listening:
        yield listening.sockets[0].getsockname()[1], got


class Scene:
    """A gateway that holds one secret for up.test, and a guest with its placeholder."""

    def __init__(self, link: GatewayLink, journal: Journal, port: int, got: list[bytes]) -> None:
        self.link = link
        self.journal = journal
        self.got = got
        binding = SecretBinding("gh", "GH_TOKEN", ("up.test",), ports=(port,))
        self.policy = dataclasses.replace(policy(f"up.test:{port}"), secrets=(binding,))
        self.port = port

    async def guest(self, program: str, judged_by: CompiledPolicy | None = None) -> Guest:
        judged_by = judged_by or self.policy
        certificate = await self.link.authority("sbx_1", judged_by)
        descriptor = os.memfd_create("secret")
        os.write(descriptor, VALUE)
        placeholder = await self.link.hold_secret("sbx_1", judged_by.secrets[0], descriptor)
        prelude = PROGRAM.format(certificate=certificate, port=self.port)
        text = f"{prelude}\nholder = {placeholder!r}\n{program}"
        return await Guest.start(self.link.door("sbx_1", judged_by), text)


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    journal = Journal()
    with table_server({"up.test": ["127.0.0.1"]}) as names:
        settings = GatewaySettings(private_hosts=("up.test",), resolvers=(names.place,))
        roots = authority("up.test").certificate
        async with (
            echoing(server("up.test")) as (port, got),
            linked(journal, settings, roots) as link,
        ):
            yield Scene(link, journal, port, got)


def test_the_upstream_reads_the_value_and_the_guest_its_placeholder() -> None:
    async def work() -> None:
        async with scene() as at:
            guest = await at.guest(
                "got = ask(dial(), 'Authorization: Bearer ' + holder + '\\r\\n')\n"
                "print(got.decode().replace(holder, 'HOLDER'))"
            )
            said = await guest.rest()
            assert at.got[0].count(VALUE) == 1
            assert "Authorization: Bearer HOLDER" in said
            assert VALUE.decode() not in said
            (request,) = at.journal.verdicts("https")
            assert (request.allowed, request.code) == (True, "")

    run(work)


def test_a_narrower_policy_cuts_what_lives_and_refuses_what_comes() -> None:
    async def work() -> None:
        async with scene() as at:
            guest = await at.guest(
                "link = dial()\n"
                "print(len(ask(link, 'Authorization: ' + holder + '\\r\\n')) > 0)\n"
                "print(is_cut(link))\n"
                "print(ask(dial(), 'Authorization: ' + holder + '\\r\\n').decode())"
            )
            assert await guest.line() == "True\n"
            binding = at.policy.secrets[0]
            elsewhere = dataclasses.replace(binding, allowed_hosts=("else.test",))
            rule = dataclasses.replace(at.policy.network.allow_rules[0], inspect=True)
            network = dataclasses.replace(at.policy.network, allow_rules=(rule,))
            narrower = dataclasses.replace(at.policy, network=network, secrets=(elsewhere,))
            await at.link.narrow("sbx_1", narrower)
            said = await guest.rest()
            assert said.startswith("True\n")
            assert "403 secret_scope_violation" in said
            assert len(at.got) == 1
            codes = [event.code for _, event in at.journal.events if event.code]
            assert codes == ["secret_unavailable", "secret_scope_violation"]

    run(work)


def test_when_its_time_is_over_it_is_gone() -> None:
    async def work() -> None:
        async with scene() as at:
            binding = dataclasses.replace(at.policy.secrets[0], ttl_s=1)
            short = dataclasses.replace(at.policy, secrets=(binding,))
            guest = await at.guest(
                "link = dial()\n"
                "ask(link)\n"  # before its end or after it: nobody counts on a busy machine
                "print(is_cut(link))\n"
                "print(ask(dial()).decode())",
                short,
            )
            said = await guest.rest()
            assert said.startswith("True\n")
            assert "403 secret_unavailable: the secret 'gh' is gone: its time is over" in said

    run(work)
