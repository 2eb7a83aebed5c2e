"""Hostile requests meet defined answers (C2, C3, C4)."""

import asyncio
import json
import socket
from pathlib import Path

import pytest
from aiohttp import web

from cleanroom.api.endpoints import ENDPOINTS
from cleanroom.daemon.call import MAX_BODY, Call
from cleanroom.daemon.policies import MAX_POLICY_BODY
from cleanroom.daemon.routes import HANDLERS
from cleanroom.daemon.streams import NdjsonStream
from tests.daemon.daemons import Setting, play, run_request, running


def test_every_endpoint_has_its_handler_and_no_other() -> None:
    assert set(HANDLERS) == {each.name for each in ENDPOINTS}


async def raw(setting: Setting, request: bytes) -> bytes:
    """Send bytes as they are; return what comes back until the daemon closes or answered."""
    reader, writer = await asyncio.open_unix_connection(str(setting.paths.socket))
    writer.write(request)
    await writer.drain()
    try:
        async with asyncio.timeout(5):
            answer = await reader.read(65536)
    finally:
        writer.close()
    return answer


HOSTILE_PATHS = [
    "/v1/sandboxes/..%2f..%2fetc%2fpasswd",
    "/v1/sandboxes/%00",
    "/v1/sandboxes/sbx_%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1%D9%A1",
    "/v1/sandboxes/" + "a" * 3000,
    "/v1/runs/..",
    "/v1/runs/run_0%0a",
    "/v1/runs/sandbox:..%2f/changes",
    "/v1/runs/sandbox:%2e%2e/changes",
]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_hostile_ids_are_not_found(short_path: Path, path: str) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting):
            answer = await raw(setting, f"GET {path} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
            assert answer.split(b" ")[1] in {b"400", b"404"}

    play(conversation())


def test_paths_and_methods_that_do_not_exist_are_problems_too(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            status, problem = await daemon.ask("GET", "/v2")
            assert (status, problem["code"]) == (404, "request_invalid")
            assert problem["hint"] == "see /openapi.json"
            assert (await daemon.ask("DELETE", "/v1/runs"))[0] == 405

    play(conversation())


async def buggy(call: Call) -> web.StreamResponse:
    """A handler with a bug."""
    message = f"secret words about {call.who}"
    raise ZeroDivisionError(message)


async def buggy_later(call: Call) -> web.StreamResponse:
    """A handler with a bug after its answer has begun."""
    async with NdjsonStream(call.request) as stream:
        await stream.send(b'{"type":"note"}\n')
        await buggy(call)
    return stream.response


def test_a_bug_is_a_problem_with_a_code_and_its_traceback_is_in_the_log(
    short_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            async with daemon.http.get("http://d/v1/runs") as response:
                assert response.content_type == "application/problem+json"
                problem = await response.json(content_type=None)
            assert (problem["status"], problem["code"]) == (500, "internal")
            assert "secret words" not in str(problem)
            assert (await daemon.ask("GET", "/v1/health"))[0] == 200

    monkeypatch.setitem(HANDLERS, "list_runs", buggy)
    play(conversation())
    assert "a bug in GET /v1/runs" in caplog.text
    assert "ZeroDivisionError: secret words" in caplog.text


def test_a_bug_within_an_answer_is_its_last_line_and_cuts_it(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            head = b"GET /v1/audit HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"
            answer = b""
            reader, writer = await asyncio.open_unix_connection(str(setting.paths.socket))
            writer.write(head)
            async with asyncio.timeout(30):
                answer = await reader.read()
            writer.close()
            assert answer.count(b"HTTP/1.1") == 1
            assert b'"type":"error"' in answer
            assert b'"code":"internal"' in answer
            assert b"secret words" not in answer
            assert not answer.endswith(b"0\r\n\r\n")
            assert (await daemon.ask("GET", "/v1/health"))[0] == 200

    monkeypatch.setitem(HANDLERS, "read_audit", buggy_later)
    play(conversation())


def test_an_unknown_query_parameter_is_refused(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            for query in ("every=1", "limit=x", "limit=-1", "limit=1001", "before=" + "a" * 101):
                status, problem = await daemon.ask("GET", f"/v1/runs?{query}")
                assert (status, problem["code"]) == (400, "request_invalid"), query
            assert (await daemon.ask("GET", "/v1/sandboxes?all=perhaps"))[0] == 400

    play(conversation())


def test_a_body_that_is_too_large_is_refused_before_it_is_read(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting):
            for path, length in (
                ("/v1/policy/lockfiles", MAX_BODY + 1),
                ("/v1/policy/lockfiles", 300_000_000),
                ("/v1/runs", MAX_POLICY_BODY + 1),
                ("/v1/runs", 1_000_000_000_000),
            ):
                head = f"POST {path} HTTP/1.1\r\nHost: d\r\nContent-Length: {length}\r\n\r\n"
                answer = await raw(setting, head.encode())
                assert answer.split(b" ")[1] == b"413", (path, length)

    play(conversation())


def test_a_body_that_grows_too_large_is_cut(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            reader, writer = await asyncio.open_unix_connection(str(setting.paths.socket))
            head = b"POST /v1/policy/lockfiles HTTP/1.1\r\nHost: d\r\n"
            writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(20):
                writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            assert (await reader.read(100)).split(b" ")[1] == b"413"
            writer.close()
            assert (await daemon.ask("GET", "/v1/health"))[0] == 200

    play(conversation())


@pytest.mark.parametrize(
    "body",
    [
        b"{" * 500_000,
        b"[" * 500_000,
        b'{"workspace": NaN}',
        b'{"workspace": "/w", "workspace": "/x", "command": ["true"]}',
        b"\x00",
        json.dumps({**run_request("true"), "surprise": 1}).encode(),
    ],
)
def test_a_body_that_is_no_request_is_refused(short_path: Path, body: bytes) -> None:
    async def conversation() -> None:
        async with (
            running(Setting(short_path)) as daemon,
            daemon.http.post("http://d/v1/runs", data=body) as response,
        ):
            assert response.status == 400
            assert response.content_type == "application/problem+json"
            assert (await response.json(content_type=None))["code"] == "request_invalid"

    play(conversation())


def test_a_compressed_body_is_refused(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            headers = {"Content-Encoding": "gzip"}
            async with daemon.http.post("http://d/v1/runs", data=b"x", headers=headers) as response:
                assert response.status == 415

    play(conversation())


def test_slow_clients_stop_nobody(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting) as daemon:
            slow = []
            for number in range(150):
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(str(setting.paths.socket))
                heads = (
                    b"GET /v1/he",
                    b"POST /v1/runs HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n{",
                )
                connection.send(heads[number % 2])
                slow.append(connection)
            async with asyncio.timeout(1):
                assert (await daemon.ask("GET", "/v1/health"))[0] == 200
            async with asyncio.timeout(5):
                assert (await daemon.finished(await daemon.run("true")))["exit_code"] == 0
            for connection in slow:
                connection.close()

    play(conversation())


def test_a_great_head_is_refused(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        async with running(setting):
            head = b"GET /v1/health HTTP/1.1\r\nHost: d\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"
            assert (await raw(setting, head)).split(b" ")[1] == b"400"

    play(conversation())
