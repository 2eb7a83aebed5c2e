"""make bench: install a wheel, measure, write bench/results/.

In: names of figures, or none for all. Out: a table, a JSON file and a Markdown page; status 1 if a
target is missed. Never: the checkout's editable install, whose start is slower than a user's.
"""

import datetime
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from bench.cases import CASES, Figure, complain
from bench.daemon import Daemon
from bench.executions import attach_round_trip, detached, diff, log_lag
from bench.extremes import gateway_extremes
from bench.locks import ten_thousand_pins
from bench.peers.hits import peers_hits
from bench.peers.packages import npm_cold, npm_installs, python_installs
from bench.registries import registry_hits
from bench.relay import dns_answers, relay_bulk, relay_connections
from bench.secrets import secrets_cost

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
VENV = ROOT / "build" / "bench-venv"
ALL = (
    *(*CASES, attach_round_trip, detached, log_lag, diff, ten_thousand_pins),
    *(relay_bulk, relay_connections, dns_answers, registry_hits, peers_hits, secrets_cost),
    *(gateway_extremes, npm_installs, npm_cold, python_installs),
)


def installed() -> Path:
    """Install this checkout as a wheel into a fresh environment; return its `cleanroom`."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    lock = ["--require-hashes", "-r", str(ROOT / "requirements.lock")]
    subprocess.run([*pip, *lock], check=True)
    subprocess.run([*pip, "--no-deps", str(ROOT)], check=True)
    return VENV / "bin" / "cleanroom"


def machine() -> dict[str, str]:
    """Return what the numbers depend on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    bwrap = subprocess.run(["bwrap", "--version"], check=False, capture_output=True, text=True)  # noqa: S607
    return {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "cpu": model,
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "bubblewrap": bwrap.stdout.strip().removeprefix("bubblewrap "),
        "user": "root" if os.geteuid() == 0 else "ordinary user",
        "load_before": f"{os.getloadavg()[0]:.2f}",
    }


def table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    words = {True: "yes", False: "**no**", None: "-"}
    rows = [
        f"| {figure.name} | {figure.target} | {_flat(figure.values)} | {words[figure.holds]} |"
        for figure in figures
    ]
    return "\n".join(["| what | target | measured | holds |", "|---|---|---|---|", *rows])


def _flat(values: object) -> str:
    if isinstance(values, dict):
        return "; ".join(f"{name} {_flat(value)}" for name, value in values.items())
    return str(values)


def measure(names: list[str]) -> list[Figure]:
    """Measure the named figures, or all, each with a daemon that is warm."""
    cleanroom = installed()
    figures = []
    for case in ALL:
        if names and case.__name__ not in names:
            continue
        complain(f"measuring {case.__name__} ...")
        with Daemon(cleanroom) as daemon:
            figures.append(case(daemon))
    return figures


def main() -> int:
    """Measure, print, write; return the exit status."""
    about = machine()
    figures = measure(sys.argv[1:])
    text = table(figures)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    stem = RESULTS / f"{about['date']}-{about['user'].replace(' ', '-')}"
    document = {"version": 1, "machine": about, "figures": [asdict(figure) for figure in figures]}
    stem.with_suffix(".json").write_text(json.dumps(document, indent=2) + "\n")
    facts = "\n".join(f"- {name}: {value}" for name, value in about.items())
    stem.with_suffix(".md").write_text(f"# Measured {about['date']}\n\n{facts}\n\n{text}\n")
    return 1 if any(figure.holds is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
