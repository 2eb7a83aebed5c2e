"""npm and pip themselves against a registry: they work, and show the person why something does not.

Their words are those of docs/registries.md. Dependencies that lead elsewhere: promises R5, R6.
"""

import json
from typing import Final

import pytest

from tests.escape.egress_world import Report
from tests.escape.registry_internet import (
    RUN,
    Package,
    Project,
    Reply,
    integrity,
    package_lock,
    packument,
    sha256,
    tarball,
    unique,
)  # fmt: skip
from tests.escape.registry_world import NPM, PYPI, Registries

pytestmark = pytest.mark.escape

TARGET: Final = "/tmp/to"  # noqa: S108 -- inside the sandbox
_NPM: Final = "'npm', '--no-fund', '--registry', 'https://npm.test/'"
CI: Final = f"{RUN}\nresult = run({_NPM}, 'ci')"


@pytest.fixture
def pad(outside: Registries) -> Package:
    """A package of this test alone, which the registry has in two versions."""
    made = Package(unique("pad"))
    newer = tarball(made.name, "1.3.1")
    page = packument(made.name, {"1.3.0": made.data, "1.3.1": newer})
    outside.script.answers(f"npm.test/{made.name}", Reply(page, kind="application/json"))
    outside.script.answers(made.place, Reply(made.data))
    outside.script.answers(made.place.replace("1.3.0", "1.3.1"), Reply(newer))
    return made


@pytest.fixture
def project(outside: Registries) -> Project:
    """A Python project of this test alone, which index and file host have."""
    made = Project(unique("some_pkg"))
    outside.script.answers(f"index.test/simple/{made.name}/", made.page)
    outside.script.answers(f"files.test{made.file}", Reply(made.wheel))
    return made


def wants(pad: Package) -> dict[str, object]:
    """Return a package.json that needs it."""
    return {"name": "work", "version": "1.0.0", "dependencies": {pad.name: pad.version}}


def npm(outside: Registries, pad: Package, program: str, lock: str = "") -> Report:
    """Run npm in a workspace that needs the package, by default under a lock file that has it."""
    text = lock or package_lock({pad.name: pad.entry}, wants(pad))
    return outside.run(NPM, program, text, {"package.json": json.dumps(wants(pad))})


def pip(outside: Registries, lock: str, *words: str) -> Report:
    """Have the system's pip install into a folder."""
    install = ["pip", "install", "--no-cache-dir", "--target", TARGET, "--index-url"]
    argv = ["/usr/bin/python3", "-m", *install, "https://index.test/simple", *words]
    return outside.run(PYPI, f"{RUN}\nresult = run(*{argv!r})", lock)


def test_npm_ci_works_without_any_network_rule(outside: Registries, pad: Package) -> None:
    program = f"{CI}\nresult += run('node', '-p', 'require(\"{pad.name}\")')"
    status, said, node, printed = npm(outside, pad, program).result
    assert (status, node) == (0, 0), said
    assert printed == f"{pad.name}\n"
    assert npm(outside, pad, program).result[0] == 0
    assert outside.script.count(pad.place) == 1


def test_npm_trusts_one_authority_where_it_can_meet_no_other(
    outside: Registries, pad: Package
) -> None:
    count = ("grep", "-c", "BEGIN CERT")
    program = f"""{RUN}
import os
result = [run(*{count}, os.environ[name])[1] for name in ("npm_config_cafile", "PIP_CERT")]"""
    alone, bundle = map(int, npm(outside, pad, program).result)
    assert (alone, bundle > alone) == (1, True)


def test_pip_works_without_any_network_rule(outside: Registries, project: Project) -> None:
    said = pip(outside, project.lock, "--require-hashes", "-r", "requirements.txt")
    assert said.result[0] == 0, said.result[1]
    assert f"Successfully installed {project.name}-1.0" in said.result[1]


def test_npm_shows_the_reason_of_a_package_that_is_not_locked(
    outside: Registries, pad: Package
) -> None:
    program = f"{RUN}\nresult = run({_NPM}, 'install', '{pad.name}@1.3.1')"
    said = npm(outside, pad, program)
    sentence = f"{pad.name} 1.3.1 is not in package-lock.json"
    assert said.result[0] != 0
    assert f"lockfile_violation: {sentence}" in said.result[1]
    assert {each["artifact"] for each in said.denials("lockfile_violation")} == {
        f"{pad.name} 1.3.1"
    }
    assert sentence in said.stderr


def test_npm_shows_that_a_package_was_tampered_with(outside: Registries, pad: Package) -> None:
    outside.script.answers(pad.place, Reply(pad.tampered))
    said = npm(outside, pad, CI)
    assert said.result[0] != 0
    sentence = f"integrity_mismatch: {pad.name} 1.3.0 is not what it must be: npm.test sent"
    assert sentence in said.result[1]


def test_pip_shows_the_reason_of_a_package_that_is_not_locked(
    outside: Registries, project: Project
) -> None:
    said = pip(outside, f"other==1.0 --hash=sha256:{'0' * 64}", project.name)
    assert said.result[0] != 0
    assert f"lockfile_violation: {project.name} 1.0 is not in requirements.txt" in said.result[1]


def test_pip_shows_that_a_package_was_tampered_with(outside: Registries, project: Project) -> None:
    outside.script.answers(f"files.test{project.file}", Reply(project.sdist))
    lock = f"{project.name}==1.0 --hash=sha256:{sha256(project.wheel)}\n"
    said = pip(outside, lock, "--require-hashes", "-r", "requirements.txt")
    assert said.result[0] != 0
    sentence = f"integrity_mismatch: {project.name} 1.0 is not what it must be: files.test sent"
    assert sentence in said.result[1]


# What npm is asked to add, what it says to that, and what exec says (PAD is a locked package, whose
# newest version is not; OTHER is not locked at all).
REFUSALS: Final = {
    "OTHER@1.0.0": ("lockfile_violation: OTHER 1.0.0 is not in package-lock.json", "OTHER 1.0.0"),
    "PAD@latest": ("lockfile_violation: PAD 1.3.1 is not in package-lock.json", "PAD 1.3.1"),
    "mine@npm:OTHER@1.0.0": ("lockfile_violation: OTHER 1.0.0 is not in", "OTHER 1.0.0"),
    "PAD@https://npm.test/x/ball.tgz": (
        "lockfile_violation: x is not in package-lock.json",
        "npm.test",
    ),
    "PAD@https://evil.test/PAD-1.3.0.tgz": ("ENOTFOUND evil.test", "evil.test"),
    "PAD@http://npm.test/PAD/-/PAD-1.3.0.tgz": ("request to http://npm.test/PAD/", "npm.test:80"),
    "PAD@git+https://evil.test/PAD.git": ("Could not resolve host: evil.test", "evil.test"),
    "PAD@git+ssh://git@evil.test/PAD.git": ("ssh://git@evil.test/PAD.git", "evil.test"),
}


@pytest.mark.parametrize("spec", REFUSALS)
def test_npm_shows_why_it_cannot_add_what_is_not_locked(
    outside: Registries, pad: Package, spec: str
) -> None:
    """R5: another source of a package leads nowhere, and npm says as much."""
    other = Package(unique("other"), "1.0.0")
    outside.script.answers(f"npm.test/{other.name}", other.page)
    outside.script.answers(other.place, Reply(other.data))
    wanted, sentence, told = (
        text.replace("PAD", pad.name).replace("OTHER", other.name)
        for text in (spec, *REFUSALS[spec])
    )
    said = npm(outside, pad, f"{RUN}\nresult = run({_NPM}, 'install', {wanted!r})")
    assert said.result[0] != 0
    assert sentence in said.result[1]
    assert told in said.stderr
    assert {each.host for each in outside.script.asked} <= {"npm.test"}
    newer = pad.place.replace("1.3.0", "1.3.1")
    assert {outside.script.count(place) for place in (newer, other.place)} == {0}
    assert outside.world.reached(port=80) == []


def test_npm_shows_that_an_entry_without_integrity_holds_nothing(
    outside: Registries, pad: Package
) -> None:
    """R3."""
    entry = {"version": pad.version, "resolved": f"https://{pad.place}"}
    said = npm(outside, pad, CI, package_lock({pad.name: entry}, wants(pad)))
    assert said.result[0] != 0
    assert f"lockfile_violation: {pad.name} 1.3.0 " in said.result[1]
    assert outside.script.count(pad.place) == 0


def test_a_page_that_names_another_host_leads_nowhere(outside: Registries, pad: Package) -> None:
    """R6: dist.tarball of the registry's own page points to a stranger."""
    page = packument(pad.name, {"1.3.0": pad.data}, host="evil.test")
    outside.script.answers(f"npm.test/{pad.name}", Reply(page, kind="application/json"))
    outside.script.answers(f"evil.test{pad.file}", Reply(pad.data))
    program = f"{RUN}\nresult = run({_NPM}, 'install', '{pad.name}@1.3.0')"
    entry = {"version": "1.3.0", "integrity": integrity(pad.data)}
    said = npm(outside, pad, program, package_lock({pad.name: entry}, wants(pad)))
    assert {each.host for each in outside.script.asked} <= {"npm.test"}
    assert said.result[0] == 0 or said.denials("host_not_allowed")
