"""What a new lock file of 10,000 pins costs: the daemon's answer to it, less that to a known one.

In: nothing. Out: a Figure. Never: a network. The start of the process that reads it is part of it.
"""

import base64
import hashlib
import json
import time

from bench.cases import Figure
from bench.daemon import Daemon
from bench.measure import percentile, whole_cpu_s

PINS = 10_000
ROUNDS = 15
MOST_MS = {
    "package-lock.json": 150,
    "Cargo.lock": 150,
    "uv.lock": 150,
    "pnpm-lock.yaml": 2000,
}
MANAGERS = {"Cargo.lock": "cargo", "uv.lock": "pypi"}
POLICY = """version: 1
# {number}
registries:
  {manager}:
    enable: true
    allowed_hosts: [r.example, f.example]
    lockfile_enforcement: {{enabled: true, lockfiles: ["{name}"]}}
"""


def _sha512(number: int) -> str:
    return base64.b64encode(hashlib.sha512(b"%d" % number).digest()).decode()


def _sha256(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def _npm() -> str:
    packages = {
        f"node_modules/p{number}": {
            "version": f"1.0.{number}",
            "resolved": f"https://r.example/p{number}/-/p{number}-1.0.{number}.tgz",
            "integrity": f"sha512-{_sha512(number)}",
            "dependencies": {f"p{number + 1}": "^1.0.0"},
        }
        for number in range(PINS)
    }
    return json.dumps({"lockfileVersion": 3, "packages": {"": {"name": "x"}, **packages}}, indent=2)


def _cargo() -> str:
    packages = (
        f'\n[[package]]\nname = "p{number}"\nversion = "1.0.{number}"\n'
        'source = "registry+https://r.example/index"\n'
        f'checksum = "{_sha256(number)}"\ndependencies = [\n "p{number + 1}",\n]\n'
        for number in range(PINS)
    )
    return "version = 4\n" + "".join(packages)


def _uv() -> str:
    packages = (
        f'\n[[package]]\nname = "p{number}"\nversion = "1.0.{number}"\n'
        'source = { registry = "https://r.example/simple" }\n'
        f'sdist = {{ url = "https://f.example/p{number}-1.0.{number}.tar.gz", '
        f'hash = "sha256:{_sha256(number)}", size = 100 }}\n'
        for number in range(PINS)
    )
    return "version = 1\n" + "".join(packages)


def _pnpm() -> str:
    packages = (
        f"  p{number}@1.0.{number}:\n    resolution: {{integrity: sha512-{_sha512(number)}}}\n\n"
        for number in range(PINS)
    )
    return "lockfileVersion: '9.0'\n\npackages:\n\n" + "".join(packages)


def ten_thousand_pins(daemon: Daemon) -> Figure:
    """The daemon's answer to a policy whose lock file it never saw, less that to a known one."""
    texts = {"package-lock.json": _npm(), "Cargo.lock": _cargo(), "uv.lock": _uv()}
    texts["pnpm-lock.yaml"] = _pnpm()
    values = {name: _compile_ms(daemon, name, text) for name, text in texts.items()}
    holds = all(values[name]["p50_ms"] <= most for name, most in MOST_MS.items())
    return Figure("10,000 pins of a new lock file", "<= 150 ms; YAML <= 2 s", values, holds)


def _compile_ms(daemon: Daemon, name: str, text: str) -> dict[str, float]:
    def ask(number: int) -> tuple[float, float]:
        manager = MANAGERS.get(name, "npm")
        policy = POLICY.format(number=number, manager=manager, name=name)
        policy_text = {"path": "cleanroom.yaml", "text": policy, "lockfiles": {name: text}}
        cpu_s, began = whole_cpu_s(daemon.pid), time.perf_counter()
        daemon.call("POST", "/v1/policy/validate", {"policy": policy_text})
        return time.perf_counter() - began, whole_cpu_s(daemon.pid) - cpu_s

    rounds = [(ask(number), ask(number)) for number in range(ROUNDS)]
    new, known = zip(*rounds, strict=True)
    wall_s = percentile(sorted(each for each, _ in new), 0.5)
    wall_s -= percentile(sorted(each for each, _ in known), 0.5)
    cpu_s = (sum(each for _, each in new) - sum(each for _, each in known)) / ROUNDS
    return {"p50_ms": round(wall_s * 1000, 1), "cpu_ms": round(cpu_s * 1000, 1)}
