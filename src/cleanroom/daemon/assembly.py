"""The parts of a daemon, joined to a Host.

In: the parts that touch the world. Out: Host. Never: a choice; main.py chooses the real ones,
tests choose fakes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cleanroom.backends.base import Backend
from cleanroom.daemon.approvals import Approvals
from cleanroom.daemon.backends import Backends
from cleanroom.daemon.clock import Clock
from cleanroom.daemon.config import Config
from cleanroom.daemon.content import Content
from cleanroom.daemon.gateways import Gateways
from cleanroom.daemon.handovers import Handovers
from cleanroom.daemon.host import Host
from cleanroom.daemon.journal import Journal
from cleanroom.daemon.mise import Mise
from cleanroom.daemon.observability import Observability
from cleanroom.daemon.outputs import Outputs
from cleanroom.daemon.parts import AuditWriter, StartGateway, Workspaces
from cleanroom.daemon.paths import Paths
from cleanroom.daemon.policies import Policies
from cleanroom.daemon.recent import RecentRuns
from cleanroom.daemon.sandboxes import Neighbours, Sandboxes
from cleanroom.daemon.store import Store
from cleanroom.daemon.tasks import Tasks
from cleanroom.daemon.turned_away import TurnedAway
from cleanroom.daemon.volumes import Volumes


@dataclass(frozen=True, slots=True)
class World:
    """Everything of a daemon that touches the world."""

    paths: Paths
    config: Config
    clock: Clock
    audit: AuditWriter
    backends: Mapping[str, Backend]
    start_gateway: StartGateway
    workspaces: Workspaces
    volumes: Volumes
    content: Content
    tools_path: str


def join(world: World) -> Host:
    """Return the daemon of these parts. The store is not opened yet."""
    settings = world.config.settings
    journal = Journal(world.audit)
    store = Store(world.paths.database)
    tasks = Tasks()

    def lost(served: frozenset[str]) -> None:
        sandboxes.gateway_lost(served)

    gateways = Gateways(world.start_gateway, journal.network, lost)
    sandboxes = Sandboxes(
        Neighbours(
            settings=settings,
            clock=world.clock,
            store=store,
            journal=journal,
            gateways=gateways,
            workspaces=world.workspaces,
            tasks=tasks,
            folder=world.paths.sandboxes,
        )
    )
    return Host(
        config=world.config,
        clock=world.clock,
        store=store,
        journal=journal,
        gateways=gateways,
        backends=Backends(world.backends, world.content.prove),
        workspaces=world.workspaces,
        sandboxes=sandboxes,
        policies=Policies(),
        content=world.content,
        approvals=Approvals(store, journal, world.workspaces, settings.approvals),
        observability=Observability(world.paths.runs, world.tools_path),
        outputs=Outputs(world.paths.outputs, settings.limits),
        recent=RecentRuns(16 * settings.limits.kept_output),
        turned_away=TurnedAway(),
        tasks=tasks,
        volumes=world.volumes,
        mise=Mise(settings.mise, world.paths.cache / "mise", sandboxes),
        handovers=Handovers(),
        paths=world.paths,
    )
