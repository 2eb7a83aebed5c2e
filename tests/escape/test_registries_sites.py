"""One host with the registries of npm, PyPI and Cargo, each below its own path (R29).

A company's server is like that. npm, pip and cargo themselves work in one sandbox and policy; what
one registry would let pass is not had at another one's path, nor by another spelling of it.
"""

import json
from pathlib import Path
from typing import Final

import pytest

from tests.escape.egress_world import Report
from tests.escape.registry_internet import (
    FETCH,
    RUN,
    Package,
    Project,
    Reply,
    package_lock,
    packument,
    sha256,
    unique,
)
from tests.escape.registry_modules import Crate, crate_path, index_line
from tests.escape.registry_world import Registries, registry_policy

pytestmark = pytest.mark.escape

HOST: Final = "mirror.test"
POLICY: Final = f"""\
version: 1
sandbox: {{network: {{default: deny, allow: []}}}}
registries:
  npm:
    enable: true
    allowed_hosts: [{HOST}/repository/npm]
    lockfile_enforcement: {{enabled: true, mode: deny_unknown, lockfiles: [package-lock.json]}}
  pypi:
    enable: true
    allowed_hosts: [{HOST}/repository/pypi]
    lockfile_enforcement: {{enabled: true, mode: MODE, lockfiles: [requirements.txt]}}
  cargo:
    enable: true
    allowed_hosts: [{HOST}/repository/cargo]
    lockfile_enforcement: {{enabled: true, mode: deny_unknown, lockfiles: [Cargo.lock]}}
"""
CARGO_TOML: Final = """\
[package]
name = "work"
version = "0.1.0"
edition = "2021"
[dependencies]
NAME = "1"
"""
CONFIG: Final = f"""\
[source.crates-io]
replace-with = "company"
[source.company]
registry = "sparse+https://{HOST}/repository/cargo/"
"""


class Company:
    """A server with one package of each, which no other test has."""

    def __init__(self, outside: Registries) -> None:
        self.outside = outside
        self.pad = Package(unique("pad"), host=f"{HOST}/repository/npm")
        self.project = Project(unique("some_pkg"))
        self.crate = Crate(unique("left_pad"))
        have = outside.script.answers
        npm, pypi, cargo = (f"{HOST}/repository/{name}" for name in ("npm", "pypi", "cargo"))
        page = packument(self.pad.name, {self.pad.version: self.pad.data}, npm)
        have(f"{npm}/{self.pad.name}", Reply(page, kind="application/json"))
        have(f"{npm}{self.pad.file}", Reply(self.pad.data))
        file = self.project.file
        link = f'<a href="../..{file}#sha256={sha256(self.project.wheel)}">{Path(file).name}</a>'
        have(f"{pypi}/simple/{self.project.name}/", Reply(link.encode(), kind="text/html"))
        have(f"{pypi}{file}", Reply(self.project.wheel))
        config = json.dumps({"dl": f"https://{cargo}/crates"})
        have(f"{cargo}/config.json", Reply(config.encode()))
        line = index_line(self.crate.name, "1.0.0", self.crate.good)
        have(f"{cargo}{self.crate.page}", Reply(line, kind="text/plain"))
        have(f"{cargo}{self.crate.path}", Reply(self.crate.good))

    def run(self, program: str, mode: str = "deny_unknown", flags: tuple[str, ...] = ()) -> Report:
        """Run a program where the three lock files are."""
        wants = {"name": "work", "version": "1.0.0", "dependencies": {self.pad.name: "1.3.0"}}
        files = {
            "package.json": json.dumps(wants),
            "package-lock.json": package_lock({self.pad.name: self.pad.entry}, wants),
            "requirements.txt": self.project.lock,
            "Cargo.toml": CARGO_TOML.replace("NAME", self.crate.name),
            "Cargo.lock": self.crate.lock,
            "lib.rs": f"pub use {self.crate.name}::say;\n",
            "config.toml": CONFIG,
        }
        policy = POLICY.replace("MODE", mode)
        return self.outside.world.run(policy, program, *flags, files=files)


@pytest.fixture
def company(outside: Registries) -> Company:
    """The server, and registries in which nothing has arrived yet."""
    return Company(outside)


CLIENTS: Final = f"""{RUN}
import os, shutil
shutil.copytree(".", "/tmp/work")
os.makedirs("/tmp/work/src")
os.makedirs("/tmp/work/.cargo")
shutil.move("/tmp/work/lib.rs", "/tmp/work/src/lib.rs")
shutil.move("/tmp/work/config.toml", "/tmp/work/.cargo/config.toml")
os.chdir("/tmp/work")
base = "https://{HOST}/repository/"
result = [run("npm", "--no-fund", "--no-audit", "--registry", base + "npm/", "ci")]
pip = ["/usr/bin/python3", "-m", "pip", "install", "--no-cache-dir", "--target", "/tmp/to"]
result += [run(*pip, "-i", base + "pypi/simple", "--require-hashes", "-r", "requirements.txt")]
result += [run("cargo", "fetch", "--locked")]
"""


def test_npm_pip_and_cargo_work_at_one_host(company: Company) -> None:
    """Cold, and offline once all of it was fetched."""
    if not Path("/usr/bin/cargo").exists():
        pytest.skip("this machine lacks cargo")
    cold, said = company.run(CLIENTS), company.run(CLIENTS, flags=("--offline",))
    for each in (cold, said):
        assert [status for status, _ in each.result] == [0, 0, 0], each.result
        assert not each.denials()
    asked = [each.path for each in company.outside.script.asked]
    assert len(set(asked)) == len(asked)
    assert all(path.startswith("/repository/") for path in asked)
    artifacts = {each["artifact"]: each["registry"] for each in said.audit if each.get("pin")}
    assert artifacts == {
        f"{company.pad.name} 1.3.0": "npm",
        f"{company.project.name} 1.0": "pypi",
        f"{company.crate.name} 1.0.0": "cargo",
    }


def test_warming_asks_below_the_path(outside: Registries, company: Company) -> None:
    policy = registry_policy(hosts=f"{HOST}/repository/npm")
    status, out, err = outside.warm(policy, company.pad.lock)
    assert (status, outside.script.count(company.pad.place)) == (0, 1), (out, err)


def test_a_first_policy_has_what_the_clients_are_configured_for(
    outside: Registries, company: Company
) -> None:
    """And npm works by it, with nothing else said."""
    folder = outside.world.home.home / unique("first")
    (folder / ".cargo").mkdir(parents=True)
    wants = {"name": "work", "version": "1.0.0", "dependencies": {company.pad.name: "1.3.0"}}
    for name, text in {
        "package.json": json.dumps(wants),
        "package-lock.json": package_lock({company.pad.name: company.pad.entry}, wants),
        ".npmrc": f"registry=https://{HOST}/repository/npm/\n",
        "Cargo.toml": CARGO_TOML.replace("NAME", company.crate.name),
        "Cargo.lock": company.crate.lock,
        ".cargo/config.toml": CONFIG,
    }.items():
        (folder / name).write_text(text)
    for words in (("init", "--offline"), ("exec", "--", "npm", "ci")):
        process = outside.world.command(words[0], "-C", str(folder), *words[1:])
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out, err)
    written = (folder / "cleanroom.yaml").read_text()
    assert f'- "{HOST}/repository/npm"' in written
    assert f'- "{HOST}/repository/cargo"' in written
    assert outside.script.count(company.pad.place) == 1


def test_no_spelling_of_a_path_gets_past_the_stricter_registry(company: Company) -> None:
    """PyPI lets everything pass here; npm and Cargo do not, and the server has all of it."""
    file = f"{company.pad.name}-9.9.9.tgz"
    paths = [
        f"/repository/npm/{company.pad.name}/-/{file}",
        f"/repository/NPM/{company.pad.name}/-/{file}",
        f"/repository/pypi/../npm/{company.pad.name}/-/{file}",
        f"/repository/pypi/%2e%2e/npm/{company.pad.name}/-/{file}",
        f"/repository//npm/{company.pad.name}/-/{file}",
        f"/repository/npm;pypi/{file}",
        f"/repository/npm/packages/{file}",
        f"/repository/cargo{crate_path(company.crate.name, '1.0.1')}",
        f"/repository/cargo/{file}",
        f"/{file}",
        f"/repository/pypi/packages/{file}",  # the control
    ]
    for path in paths:
        company.outside.script.answers(f"{HOST}{path}", Reply(b"evil"))
    program = f"{FETCH}\nresult = [fetch({HOST!r}, path) for path in {paths!r}]"
    said = company.run(program, mode='"off"')
    assert [each[0] for each in said.result] == [
        403, 400, 400, 400, 400, 400, 403, 403, 403, 403, 200,
    ]  # fmt: skip
    assert [each.path for each in company.outside.script.asked] == paths[-1:]


def test_a_redirect_leads_to_no_other_registry_of_the_host(company: Company) -> None:
    """A file of PyPI's, where all passes, that lies at npm's path; and a site of its own."""
    here = f"/repository/pypi/packages/{company.pad.name}-9.9.9.tgz"
    there = f"/repository/npm/{company.pad.name}/-/{company.pad.name}-9.9.9.tgz"
    own = here.replace("packages", "moved")
    company.outside.script.answers(f"{HOST}{here}", Reply(b"", 302, (f"Location: {there}",)))
    company.outside.script.answers(f"{HOST}{there}", Reply(b"evil"))
    company.outside.script.answers(f"{HOST}{own}", Reply(b"good"))
    program = f"{FETCH}\nresult = fetch({HOST!r}, {here!r})"
    assert company.run(program, mode='"off"').result[0] == 403
    assert [each.path for each in company.outside.script.asked] == [here]
    company.outside.script.answers(f"{HOST}{here}", Reply(b"", 302, (f"Location: {own}",)))
    assert company.run(program, mode='"off"').result[0] == 200


WHOLE: Final = f"""\
version: 1
sandbox: {{network: {{default: deny, allow: []}}}}
registries:
  pypi:
    enable: true
    allowed_hosts: [{HOST}]
    lockfile_enforcement: {{enabled: true, mode: "off", lockfiles: [requirements.txt]}}
"""


def test_what_another_division_of_the_host_brought_is_judged_by_ones_own(company: Company) -> None:
    """To a policy that gives all of the host to PyPI, the same redirect stays where it is."""
    outside, file = company.outside, f"{company.pad.name}-9.9.9.tgz"
    here, there = (
        f"/repository/pypi/packages/{file}",
        f"/repository/npm/{company.pad.name}/-/{file}",
    )
    outside.script.answers(f"{HOST}{here}", Reply(b"", 302, (f"Location: {there}",)))
    outside.script.answers(f"{HOST}{there}", Reply(b"evil"))
    program = f"{FETCH}\nresult = fetch({HOST!r}, {here!r})"
    files = {"requirements.txt": company.project.lock}
    assert outside.world.run(WHOLE, program, files=files).result[0] == 200
    assert company.run(program, mode='"off"').result[0] == 403
    assert outside.world.run(WHOLE, program, "--offline", files=files).result[0] == 200
