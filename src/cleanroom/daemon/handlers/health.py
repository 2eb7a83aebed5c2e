"""The daemon about itself: alive, version, API document, backends, configuration.

In: nothing. Out: reports; its end, if nothing goes on. Never: a wait for a part that does not
answer.
"""

import os
import platform
from typing import Final

from aiohttp import web

from cleanroom import __version__
from cleanroom.api import openapi
from cleanroom.api.types import BackendReport, DoctorReport, Health, Version
from cleanroom.daemon.call import Call, answer
from cleanroom.daemon.clock import timestamp
from cleanroom.daemon.config import changed_file, report

API: Final = "v1"


async def show_health(call: Call) -> web.StreamResponse:
    """Say whether all parts work, and whether what it was started with still stands."""
    return answer(_health(call))


async def retire(call: Call) -> web.StreamResponse:
    """End, so that another daemon can take its place. Refused where something would be lost."""
    health = _health(call)
    call.activity.retire(health.sandboxes)
    return answer(health)


def _health(call: Call) -> Health:
    gateway = call.host.gateways.state
    problems = ["the gateway was lost"] if gateway == "lost" else []
    problems += [] if call.host.journal.works else ["the audit log cannot be written"]
    sandboxes = len(call.host.sandboxes.live)
    return Health(
        status="degraded" if problems else "ok",
        version=__version__,
        pid=os.getpid(),
        idle=not sandboxes,
        problems=problems,
        sandboxes=sandboxes,
        on_demand=call.activity.on_demand,
        since=timestamp(call.activity.since),
        changed=changed_file(call.host.config),
    )


async def show_version(_call: Call) -> web.StreamResponse:
    """Say what this is."""
    name = os.uname()
    return answer(
        Version(
            version=__version__,
            api=API,
            python=platform.python_version(),
            system=f"{name.sysname} {name.release} {name.machine}",
        )
    )


async def show_openapi(_call: Call) -> web.StreamResponse:
    """Return the document of this very API."""
    return web.Response(text=openapi.render(), content_type="application/json")


async def show_doctor(call: Call) -> web.StreamResponse:
    """Probe every backend anew."""
    reports = []
    for name in sorted(call.host.backends.present):
        probe = await call.host.backends.probe(name, fresh=True)
        reports.append(
            BackendReport(
                name=name,
                ready=probe.ready,
                runtime=probe.runtime,
                capabilities=sorted(probe.capabilities),
                missing=dict(probe.missing),
                facts=dict(probe.facts),
            )
        )
    works = call.host.journal.works
    return answer(
        DoctorReport(
            ready=any(each.ready for each in reports),
            backends=reports,
            gateway=call.host.gateways.state,
            audit="writable" if works else "cannot be written",
        )
    )


async def show_config(call: Call) -> web.StreamResponse:
    """Say every setting in force and where it was said."""
    return answer(report(call.host.config))
