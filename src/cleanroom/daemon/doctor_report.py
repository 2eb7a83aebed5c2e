"""What doctor found, as a value, as text for people and as JSON for programs.

In: what each backend proved, and items of the host. Out: the report in both forms.
Never: I/O, or a colour; `--json` is versioned and has no prose beside it.
"""

import json
from dataclasses import dataclass

from cleanroom.backends.base import Probe

JSON_VERSION = 1


@dataclass(frozen=True, slots=True)
class HostItem:
    """Something of this machine that a runtime may use; `detail` is a path, or how to get it."""

    name: str
    present: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Repair:
    """What `--fix` would do or did: `command` is what a person would type instead."""

    title: str
    command: str
    done: bool = False
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything doctor says. `repairs` is empty if nothing that it knows to repair is broken."""

    backends: tuple[tuple[str, Probe], ...]
    firecracker: tuple[HostItem, ...]
    repairs: tuple[Repair, ...] = ()
    mirrors: tuple[HostItem, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether at least one backend can start a sandbox now."""
        return any(probe.ready for _, probe in self.backends)


def render_json(report: Report) -> str:
    """Return the report as one JSON document, `"version": 1`."""
    document = {
        "version": JSON_VERSION,
        "ready": report.ready,
        "backends": [
            {
                "name": name,
                "ready": probe.ready,
                "runtime": probe.runtime,
                "capabilities": sorted(probe.capabilities),
                "missing": dict(sorted(probe.missing.items())),
                "facts": dict(sorted(probe.facts.items())),
            }
            for name, probe in report.backends
        ],
        "firecracker": _items(report.firecracker),
        "mirrors": _items(report.mirrors),
        "repairs": [
            {
                "title": repair.title,
                "command": repair.command,
                "done": repair.done,
                "failure": repair.failure,
            }
            for repair in report.repairs
        ],
    }
    return json.dumps(document, indent=2)


def _items(items: tuple[HostItem, ...]) -> list[dict[str, object]]:
    return [{"name": item.name, "present": item.present, "detail": item.detail} for item in items]


def render_text(report: Report) -> str:
    """Return the report as a person reads it; every line that is not ready names its repair."""
    lines = []
    for name, probe in report.backends:
        lines += _backend_lines(name, probe)
    lines.append("for Firecracker runs (information only, no runtime here needs them):")
    lines += [f"  {_mark(item)} {item.name:<12} {item.detail}" for item in report.firecracker]
    if report.mirrors:
        lines.append("mirrors of registries, by config.yaml:")
        lines += [f"  {_mark(item)} {item.name}: {item.detail}" for item in report.mirrors]
    if report.repairs:
        lines.append("repairs:")
        lines += [f"  {_outcome(repair)}" for repair in report.repairs]
    if not report.ready:
        lines.append("no runtime is ready on this machine")
    return "\n".join(lines)


def _backend_lines(name: str, probe: Probe) -> list[str]:
    state = "ready" if probe.ready else "not ready"
    runtime = f" ({probe.runtime})" if probe.runtime else ""
    lines = [f"{name}: {state}{runtime}"]
    lines += [f"  {fact}: {value}" for fact, value in sorted(probe.facts.items())]
    if probe.capabilities:
        lines.append(f"  proved: {', '.join(sorted(probe.capabilities))}")
    lines += [f"  lacks {what}: {why}" for what, why in sorted(probe.missing.items())]
    return lines


def _mark(item: HostItem) -> str:
    return "+" if item.present else "-"


def _outcome(repair: Repair) -> str:
    if repair.done:
        return f"done: {repair.title}"
    if repair.failure:
        return f"failed: {repair.title}: {repair.failure}"
    return f"{repair.title}: {repair.command}"
