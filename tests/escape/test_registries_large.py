"""A whole `npm ci` of five hundred packages, cold and offline; the lock file stays as it was.

Against the test's own registry every day; at night against the machine's real ones, pip and uv too.
"""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import ROOT, Home
from tests.escape.egress_world import Report
from tests.escape.registry_internet import Package, Reply, package_lock, unique
from tests.escape.registry_world import NPM, Registries
from tests.people import Person

pytestmark = pytest.mark.escape

MANY: Final = 500
CI: Final = """
import hashlib, os, subprocess
done = subprocess.run(["npm", "ci", "--no-fund", "--registry", "https://npm.test/"],
                      capture_output=True, text=True, timeout=110)
lock = hashlib.sha256(open("package-lock.json", "rb").read()).hexdigest()
result = [done.returncode, done.stdout + done.stderr, len(os.listdir("node_modules")), lock]
"""


@pytest.mark.skipif(not Path("/usr/bin/npm").exists(), reason="this machine lacks npm")
def test_five_hundred_packages_cold_and_offline(outside: Registries) -> None:
    packages = [Package(unique("part")) for _ in range(MANY)]
    for each in packages:
        outside.script.answers(each.place, Reply(each.data))
    needs = {each.name: each.version for each in packages}
    manifest = {"name": "work", "version": "1.0.0", "dependencies": needs}
    lock = package_lock({each.name: each.entry for each in packages}, manifest)
    digest = hashlib.sha256(lock.encode()).hexdigest()

    def ci(*flags: str) -> Report:
        return outside.run(NPM, CI, lock, {"package.json": json.dumps(manifest)}, flags)

    for flags, asked in (((), MANY), (("--offline",), 0)):
        outside.script.asked.clear()
        said = ci(*flags)
        status, words, there, after = said.result
        assert status == 0, words
        assert there >= MANY
        assert after == digest
        assert len(outside.script.asked) == asked
        assert not said.denials()


# --- real registries, at night -------------------------------------------------------------------

# What says how this machine reaches its registries; the rest of the caller's environment stays out.
_REACH: Final = re.compile(r"PIP_|npm_config_|SSL_CERT|REQUESTS_CA|NODE_EXTRA_CA", re.IGNORECASE)
_UV: Final = ROOT / "build/clients/day/python/bin/uv"
PROJECTS: Final = {
    "package-lock.json": (
        "npm install --package-lock-only --ignore-scripts --no-audit --no-fund --silent",
        "npm ci --no-fund --no-audit && test $(ls node_modules | wc -l) -ge 500",
    ),
    "requirements.txt": (
        f"echo 'flask\nrequests\nnumpy' | {_UV} pip compile -q --generate-hashes"
        " -o requirements.txt -",
        "python3 -m pip install -q --no-cache-dir --target /tmp/to --require-hashes"
        " -r requirements.txt",
    ),
    "uv.lock": (
        f"{_UV} lock -q",
        "UV_PROJECT_ENVIRONMENT=/tmp/e UV_CACHE_DIR=/tmp/c /day/python/bin/uv sync --frozen",
    ),
}
FILES: Final = {
    "package.json": json.dumps(
        {"name": "work", "version": "1.0.0", "dependencies": {"react-scripts": "5.0.1"}}
    ),
    "pyproject.toml": '[project]\nname = "work"\nversion = "1.0"\nrequires-python = ">=3.11"\n'
    'dependencies = ["flask", "requests", "numpy"]\n',
}


@pytest.mark.nightly
@pytest.mark.parametrize("lock", PROJECTS)
def test_real_registries_cold_warm_and_offline(home: Home, programs: Path, lock: str) -> None:
    assert programs.is_dir()
    if not _UV.exists():
        pytest.skip("this machine lacks what `make clients` fetches")
    making, using = PROJECTS[lock]
    person = Person(home)
    person.environment |= {k: v for k, v in os.environ.items() if _REACH.match(k)}
    for name, text in FILES.items():
        if (name == "package.json") == (lock == "package-lock.json"):
            (person.work / name).write_text(text)
    subprocess.run(
        ["/bin/sh", "-c", making], cwd=person.work, env=dict(os.environ), check=True, timeout=600
    )
    before = (person.work / lock).read_bytes()
    with person.serving():
        assert person.types("init").returncode == 0
        assert "allow: []" in (person.work / "cleanroom.yaml").read_text()
        for flags in ((), (), ("--offline",)):
            words = ("exec", *flags, "--mount", f"{_UV.parents[2]}:/day", "--", using)
            done = person.types(*words, within_s=900)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (person.work / lock).read_bytes() == before
