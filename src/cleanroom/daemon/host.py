"""The parts of one daemon, joined; what handlers and the main path act on.

In: nothing. Out: Host. Never: logic; main.py builds it, tests build it with fakes.
"""

from dataclasses import dataclass

from cleanroom.daemon.approvals import Approvals
from cleanroom.daemon.backends import Backends
from cleanroom.daemon.clock import Clock
from cleanroom.daemon.config import Config
from cleanroom.daemon.content import Content
from cleanroom.daemon.gateways import Gateways
from cleanroom.daemon.handovers import Handovers
from cleanroom.daemon.journal import Journal
from cleanroom.daemon.mise import Mise
from cleanroom.daemon.observability import Observability
from cleanroom.daemon.outputs import Outputs
from cleanroom.daemon.parts import Workspaces
from cleanroom.daemon.paths import Paths
from cleanroom.daemon.policies import Policies
from cleanroom.daemon.recent import RecentRuns
from cleanroom.daemon.sandboxes import Sandboxes
from cleanroom.daemon.store import Store
from cleanroom.daemon.tasks import Tasks
from cleanroom.daemon.turned_away import TurnedAway
from cleanroom.daemon.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Host:
    """Everything one daemon has."""

    config: Config
    clock: Clock
    store: Store
    journal: Journal
    gateways: Gateways
    backends: Backends
    workspaces: Workspaces
    sandboxes: Sandboxes
    policies: Policies
    content: Content
    approvals: Approvals
    observability: Observability
    outputs: Outputs
    recent: RecentRuns
    turned_away: TurnedAway
    tasks: Tasks
    mise: Mise
    volumes: Volumes
    handovers: Handovers
    paths: Paths
