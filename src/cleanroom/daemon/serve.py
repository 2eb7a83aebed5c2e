"""The life of a daemon: recover, listen, wait, stop everything, in this order.

In: a Host, an address. Out: a daemon that served until it was told to stop or nobody needed it.
Never: a request before recovery, or a sandbox after the end.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom import __version__
from cleanroom.audit.pruning import Keep
from cleanroom.daemon.activity import Activity
from cleanroom.daemon.host import Host
from cleanroom.daemon.recovery import clean_folders, clean_outputs, recover
from cleanroom.daemon.routes import make_application
from cleanroom.daemon.sandbox import LiveRun
from cleanroom.daemon.server import HttpServer, Listener, Lock
from cleanroom.errors import Fault

_log = logging.getLogger(__name__)

CLEAN_EVERY_S: Final = 600.0
RUNS_KEPT: Final = 1000  # files of runs; their records stay longer
RECORDS_KEPT: Final = 10_000  # of runs, executions and sandboxes that have ended
LAST_WORDS_S: Final = 5.0  # for results of what ran when it was told to stop


@dataclass(frozen=True, slots=True)
class Listening:
    """Where, and how long without anything to do (None: for ever, as no command started it)."""

    path: Path
    idle_exit_s: float | None = None


def nothing() -> None:
    """Do nothing: nobody wants to know when it serves."""


async def serve(
    host: Host, listening: Listening, stop: asyncio.Event, ready: Callable[[], None] = nothing
) -> None:
    """Serve until `stop` is set or it is idle. Raises Refused(conflict), Fault."""
    activity = Activity(host.clock, stop, on_demand=listening.idle_exit_s is not None)
    lock = Lock(host.paths.lock, str(host.paths.state))
    try:
        with Listener(listening.path) as listener:
            await host.store.open()
            try:
                await _recover(host)
                server = HttpServer(make_application(host, activity), listener.socket)
                await server.start()
                ready()
                _begin_chores(host)
                try:
                    await _until(host, activity, listening.idle_exit_s, stop)
                finally:
                    lock.say_ending()  # before anybody finds that nobody listens
                    await _end(host, server)
            finally:
                await host.store.close()
    finally:
        host.content.close()
        host.journal.close()
        lock.release()


async def _recover(host: Host) -> None:
    details = [("version", __version__), ("pid", str(os.getpid()))]
    host.journal.daemon("daemon.started", details)
    reclaimed = await recover(host)
    if reclaimed:
        _log.warning("ended %d sandboxes that a killed daemon left", reclaimed)


def _begin_chores(host: Host) -> None:
    host.policies.readers.open()
    host.tasks.start(host.gateways.warm_up(), "gateway warm-up")
    host.tasks.start(host.observability.find_tools(), "find tools")
    host.tasks.start(_clean_for_ever(host), "clean folders")


async def _clean_for_ever(host: Host) -> None:
    while True:
        await clean_folders(host)
        await clean_outputs(host)
        await host.policies.readers.tidy()
        await host.observability.prune(RUNS_KEPT)
        await host.store.prune(RECORDS_KEPT)
        limits = host.config.settings.limits
        host.journal.prune(Keep(limits.kept_audit, limits.keep_audit_for))
        await host.clock.sleep(CLEAN_EVERY_S)


async def _until(
    host: Host, activity: Activity, idle_exit_s: float | None, stop: asyncio.Event
) -> None:
    """Return when it is told to stop, or nothing went on for the time given."""
    if idle_exit_s is None:
        await stop.wait()
        return
    look_s = max(0.05, min(idle_exit_s / 4, 5.0))
    while not stop.is_set():
        if host.sandboxes.live:
            activity.touch()
        if activity.idle_s >= idle_exit_s:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(look_s):
                await stop.wait()


async def _end(host: Host, server: HttpServer) -> None:
    """Accept nobody, end every sandbox, let those attached hear of it, end the rest."""
    await server.refuse_new()
    runs = [run for sandbox in host.sandboxes.live for run in sandbox.runs.values()]
    await host.sandboxes.stop_all()
    await _runs_finished(runs)
    await server.stop()
    await host.tasks.close()
    await host.policies.readers.close()
    await host.gateways.stop()
    try:
        host.journal.daemon("daemon.stopped")
    except Fault as error:
        _log.error("cannot record the end: %s", error.message)


async def _runs_finished(runs: list[LiveRun]) -> None:
    """Wait, within a bound, until the results of what was running are recorded."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS_S):
            for run in runs:
                await run.finished.wait()
