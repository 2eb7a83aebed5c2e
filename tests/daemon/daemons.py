"""A whole daemon with fakes behind it, on a real unix socket.

In: a short folder. Out: `running()` for tests on the same loop, `DaemonThread` for tests that run
the command line as a process. Never: the machine's own state.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import aiohttp

from cleanroom.audit.log import AuditLog
from cleanroom.daemon.assembly import World, join
from cleanroom.daemon.clock import Clock, SystemClock
from cleanroom.daemon.config import Config, parse_config
from cleanroom.daemon.content import Content
from cleanroom.daemon.host import Host
from cleanroom.daemon.paths import Paths
from cleanroom.daemon.serve import Listening, serve
from cleanroom.daemon.volumes import Volumes
from cleanroom.events import NetworkEvent
from tests.fake_process import denied
from tests.fake_workspaces import FakeWorkspaces
from tests.fakes import FakeBackend

Json: TypeAlias = Any  # a document of the API, as json.loads gives it

POLICY = """version: 1
sandbox:
  network:
    default: deny
    allow:
      - host: registry.example
        ports: [443]
"""


@dataclass
class Setting:
    """What a test may choose."""

    folder: Path
    backend: FakeBackend = field(default_factory=FakeBackend)
    clock: Clock = field(default_factory=SystemClock)
    config_text: str = "approvals: notice\n"  # what tests of approval itself do not want
    idle_exit_s: float | None = None

    @property
    def paths(self) -> Paths:
        """Everything below the one folder."""
        return Paths(
            self.folder / "state",
            self.folder / "config.yaml",
            self.folder / "d.sock",
            self.folder / "cache",
        )

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return parse_config(self.config_text, str(self.paths.config), {})


class Daemon:
    """A running daemon and a client of it."""

    def __init__(self, setting: Setting, host: Host, http: aiohttp.ClientSession) -> None:
        self.setting = setting
        self.backend = setting.backend
        self.host = host
        self.http = http

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Json]:
        """Send a request; return status and document."""
        async with self.http.request(method, f"http://d{path}", json=body) as response:
            if response.content_type.endswith("json"):
                return response.status, await response.json(content_type=None)
            return response.status, await response.text()

    async def lines(self, path: str) -> list[Json]:
        """Return every line of an NDJSON stream."""
        async with self.http.get(f"http://d{path}") as response:
            assert response.status == 200, await response.text()
            text = await response.text()
        return [json.loads(line) for line in text.splitlines()]

    async def run(self, *command: str, **options: object) -> Json:
        """Start a run nobody attaches to, unless `detach` says otherwise; return its record."""
        body = run_request(*command, options={"detach": True, **options})
        status, run = await self.ask("POST", "/v1/runs", body)
        assert status == 201, run
        return run

    async def finished(self, run: Json) -> Json:
        """Return the run's record once it has finished."""
        path = execution_path(run)
        status, _ = await self.ask("GET", f"{path}?wait_s=20")
        assert status == 200
        return (await self.ask("GET", f"/v1/runs/{run['id']}"))[1]

    async def until_output(self, run: Json, size: int) -> None:
        """Wait until the run wrote this many bytes."""
        live = self.host.recent.get(run["execution_id"]) or next(
            each.runs[run["id"]] for each in self.host.sandboxes.live if run["id"] in each.runs
        )
        output = live.started().output
        while sum(output.totals.values()) < size:
            await output.changed()

    @staticmethod
    def refusal(name: str, port: int) -> NetworkEvent:
        """Return the gateway's refusal of a connection."""
        return denied(name, port)

    def attach(self, run: Json) -> "aiohttp.client._WSRequestContextManager":
        """Open the WebSocket of a run."""
        return self.http.ws_connect(f"http://d{execution_path(run)}/attach")


def execution_path(run: Json) -> str:
    """Return the path of a run's execution."""
    return f"/v1/sandboxes/{run['sandbox_id']}/executions/{run['execution_id']}"


def run_request(
    *command: str, policy: str | None = POLICY, options: dict[str, object] | None = None
) -> dict[str, object]:
    """Return a RunRequest."""
    return {
        "workspace": "/home/someone/project",
        "command": list(command),
        "policy": {"path": "cleanroom.yaml", "text": policy} if policy is not None else {},
        "options": options or {},
    }


def make_host(setting: Setting) -> Host:
    """Return a daemon of fakes, not yet serving."""
    setting.paths.state.mkdir(parents=True, exist_ok=True)
    setting.paths.config.write_text(setting.config_text)
    world = World(
        paths=setting.paths,
        config=setting.config,
        clock=setting.clock,
        audit=AuditLog(setting.paths.audit, lambda: setting.clock.now().timestamp()),
        backends={"local": setting.backend},
        start_gateway=setting.backend.gateway.start,
        workspaces=FakeWorkspaces(setting.backend),
        volumes=Volumes(setting.paths.volumes, 1 << 30),
        content=Content(setting.paths.content, 1 << 30, lambda: setting.clock.now().timestamp()),
        tools_path="/usr/bin:/bin",
    )
    return join(world)


@asynccontextmanager
async def running(setting: Setting) -> AsyncIterator[Daemon]:
    """A daemon that serves, and stops cleanly at the end."""
    host = make_host(setting)
    stop, ready = asyncio.Event(), asyncio.Event()
    listening = Listening(setting.paths.socket, setting.idle_exit_s)
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(host, listening, stop, ready.set))
        await ready.wait()
        connector = aiohttp.UnixConnector(str(setting.paths.socket), limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            try:
                yield Daemon(setting, host, http)
            finally:
                stop.set()


def play(work: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine on a loop of its own."""
    asyncio.run(work)


class DaemonThread:
    """A daemon of fakes in a thread, for tests that start real client processes."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.url = f"unix://{setting.paths.socket}"
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the daemon did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _main(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        listening = Listening(self.setting.paths.socket, self.setting.idle_exit_s)
        await serve(make_host(self.setting), listening, self._stop, self._ready.set)
