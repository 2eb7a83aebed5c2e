"""The composition root of the daemon: the real parts, joined, and the process they live in.

In: `--listen unix://PATH [--idle-exit SECONDS] [--ready-fd FD] [--lock-fd FD]`, the environment.
Out: a serving process, its exit status; one line for its starter once it serves, or why it cannot.
Never: a request served before everything a killed daemon left is ended.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence

import msgspec

from cleanroom.api.problem import problem_of
from cleanroom.audit.log import AuditLog
from cleanroom.backends.host import read_host
from cleanroom.backends.namespaces import NamespacesBackend
from cleanroom.daemon.assembly import World, join
from cleanroom.daemon.clock import SystemClock
from cleanroom.daemon.config import Config, load_config
from cleanroom.daemon.content import Content
from cleanroom.daemon.gateway_link import GatewayLink, Supplies
from cleanroom.daemon.host import Host
from cleanroom.daemon.logs import log_to_stderr
from cleanroom.daemon.mounts import Closed
from cleanroom.daemon.parts import Lost, RecordEvent
from cleanroom.daemon.paths import Paths, make_private, paths_of
from cleanroom.daemon.routes import placed
from cleanroom.daemon.serve import Listening, serve
from cleanroom.daemon.server import socket_path, wait_for_last
from cleanroom.daemon.volumes import Volumes
from cleanroom.daemon.workspace_rule import homes_of
from cleanroom.daemon.workspaces import LocalWorkspaces
from cleanroom.errors import CleanroomError, Code, Refused

_log = logging.getLogger(__name__)


class Starter:
    """Whoever started this daemon for itself, as descriptors: told once, then let go of.

    `ready_fd` is where it waits for a line; `lock_fd` its right to start one, which is held until
    this one serves, as it may be interrupted.
    """

    def __init__(self, ready_fd: int | None = None, lock_fd: int | None = None) -> None:
        self._descriptors = [each for each in (ready_fd, lock_fd) if each is not None]
        self._ready = ready_fd

    def tell(self, **line: object) -> None:
        """Say one JSON line; it may be gone, or have heard its line already."""
        ready, self._ready = self._ready, None
        descriptors, self._descriptors = self._descriptors, []
        with contextlib.suppress(OSError):
            if ready is not None:
                os.write(ready, json.dumps(line).encode() + b"\n")
        for each in descriptors:
            with contextlib.suppress(OSError):
                os.close(each)


def real_host(paths: Paths, config: Config) -> Host:
    """Return a daemon of the real parts. Raises Fault or UserError if one cannot be made."""
    make_private(paths.state)
    clock = SystemClock()
    settings = config.settings
    facts = read_host(settings.tools, settings.gateway.trust)
    content = Content(paths.content, settings.cache.size, lambda: clock.now().timestamp())
    roots = facts.ca_bundle.decode("ascii", "replace")
    supplies = Supplies(roots, clock, content, settings.mirrors)

    async def start_gateway(record: RecordEvent, lost: Lost) -> GatewayLink:
        return await GatewayLink.start(settings.gateway, record, lost, supplies)

    homes = homes_of(os.geteuid(), os.environ.get("HOME", ""))
    volumes = Volumes(paths.volumes, settings.limits.volume)
    bins = [folder for tool in facts.tools for folder in tool.bins]
    world = World(
        paths=paths,
        config=config,
        clock=clock,
        audit=AuditLog(paths.audit, lambda: clock.now().timestamp()),
        backends={"local": NamespacesBackend(paths.state)},
        start_gateway=start_gateway,
        content=content,
        workspaces=LocalWorkspaces(facts, Closed(homes, _own_folders(paths)), volumes),
        volumes=volumes,
        tools_path=":".join([*bins, "/usr/local/bin", "/usr/bin", "/bin"]),
    )
    return join(world)


def _own_folders(paths: Paths) -> tuple[str, ...]:
    own = (paths.state, paths.cache, paths.config.parent, paths.socket.parent)
    return tuple(os.path.realpath(folder) for folder in own)


async def run_daemon(
    listen: str | None, idle_exit_s: float | None, started_by: str, ready: Callable[[], None]
) -> None:
    """Serve until SIGTERM, SIGINT, SIGHUP or idleness. Raises CleanroomError if it cannot.

    `started_by` is "person", or "client" for a daemon that a command started for itself; `ready`
    is called once it serves.
    """
    paths = paths_of(os.environ, os.geteuid())
    await wait_for_last(paths.lock)
    config = load_config(paths.config, os.environ)
    if started_by == "client" and not config.settings.daemon.autostart:
        where = config.origins.get("daemon.autostart", config.path)
        message = f"cannot start a daemon for a command: daemon.autostart is false ({where})"
        raise Refused(Code.BACKEND_UNAVAILABLE, message, "start one: cleanroom serve")
    if started_by == "client" and "daemon.idle_exit" in config.origins:
        idle_exit_s = config.settings.daemon.idle_exit
    path = socket_path(listen) if listen else paths.socket
    host = real_host(paths, config)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            loop.add_signal_handler(number, stop.set)

    def serving() -> None:
        _log.info("serving %s", path)
        ready()

    await serve(host, Listening(path, idle_exit_s), stop, serving)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon's process; return its exit status."""
    parser = argparse.ArgumentParser(prog="cleanroom-daemon")
    parser.add_argument("--listen", metavar="unix://PATH")
    parser.add_argument("--idle-exit", type=float, metavar="SECONDS", default=None)
    parser.add_argument("--ready-fd", type=int, metavar="FD", default=None)
    parser.add_argument("--lock-fd", type=int, metavar="FD", default=None)
    options = parser.parse_args(argv)
    started_by = "person" if options.idle_exit is None else "client"
    starter = Starter(options.ready_fd, options.lock_fd)
    return serve_process(options.listen, options.idle_exit, started_by, starter)


def serve_process(
    listen: str | None,
    idle_exit_s: float | None = None,
    started_by: str = "person",
    starter: Starter | None = None,
) -> int:
    """Become the daemon; also what `cleanroom serve` does. Returns an exit status."""
    os.umask(0o077)
    log_to_stderr()
    _raise_descriptor_limit()
    starter = starter or Starter()
    try:
        asyncio.run(run_daemon(listen, idle_exit_s, started_by, lambda: starter.tell(ready=True)))
    except CleanroomError as error:
        starter.tell(**msgspec.to_builtins(problem_of(error, errors=placed(error))))
        _log.error("%s%s", error.message, f" ({error.hint})" if error.hint else "")
        return error.exit_status
    return 0


def _raise_descriptor_limit() -> None:
    """Many sandboxes and clients need many descriptors; the soft limit is often 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
