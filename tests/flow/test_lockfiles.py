"""Lock files on their way from the folder into what is enforced and approved."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.policy.demands import Capability
from tests.conftest import Home
from tests.daemon.daemons import DaemonThread, Setting
from tests.fakes import FakeBackend
from tests.flow.conftest import Person

POLICY = """version: 1
registries:
  pypi:
    enable: true
    allowed_hosts: [index.example]
    lockfile_enforcement:
      enabled: true
      lockfiles: [requirements.txt, 'sub/**/requirements.txt', uv.lock]
"""
FOO = f"foo==1.0 --hash=sha256:{'a' * 64}\n"
BAR = f"bar==2.0 --hash=sha256:{'b' * 64}\n"


@pytest.fixture
def person(home: Home, short_path: Path) -> Iterator[Person]:
    """Somebody whose daemon asks, and enforces registries."""
    folder = short_path / "daemon"
    folder.mkdir(mode=0o700)
    proven = frozenset(Capability)
    setting = Setting(folder, FakeBackend(proven=proven), config_text="approvals: ask\n")
    with DaemonThread(setting) as daemon:
        person = Person(home, daemon)
        (person.folder / "cleanroom.yaml").write_text(POLICY)
        yield person


def write(person: Person, path: str, text: str) -> None:
    """Write a file of the repository."""
    file = person.folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_validate_and_explain_say_what_is_pinned_and_what_is_not(person: Person) -> None:
    write(person, "requirements.txt", f"-r more.txt\n{FOO}baz==1.0\n")
    write(person, "more.txt", BAR)
    write(person, "sub/a/requirements.txt", "qux==1\n")
    done = person.types("policy", "validate")
    assert done.status == 0, done.err
    said = "registry pypi: enabled, deny_unknown, 3 artifacts pinned, 1 of them by name and version"
    assert said in done.out
    assert "note: registries.pypi: uv.lock does not exist and pins nothing" in done.err
    report = json.loads(person.types("policy", "validate", "--json").out)
    (registry,) = report["registries"]
    assert (registry["pinned"], registry["first_seen"]) == (2, 1)
    (unpinned,) = registry["unpinned"]
    assert unpinned.startswith("requirements.txt:3: baz 1 is not pinned: ")
    done = person.types("policy", "explain")
    assert "pin (3 artifacts, 1 by name and version only)" in done.out
    assert f"note: {unpinned}" in done.out


def test_without_any_of_its_lock_files_a_policy_is_refused(person: Person) -> None:
    done = person.types("exec", "--", "true")
    assert done.status == 125
    assert "none of them exists: requirements.txt, sub/**/requirements.txt, uv.lock" in done.err


def test_faults_of_lock_files_have_their_place(person: Person) -> None:
    write(person, "requirements.txt", f"{FOO}--what\n")
    report = json.loads(person.types("policy", "validate", "--json").out)
    (error,) = report["errors"]
    assert (error["path"], error["line"]) == ("requirements.txt", 2)
    write(person, "cleanroom.yaml", POLICY.replace("enable:", "nothing:"))
    report = json.loads(person.types("policy", "validate", "--json").out)
    assert [error["path"] for error in report["errors"]] == ["cleanroom.yaml"]


def test_a_link_out_of_the_folder_is_no_lock_file(person: Person, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(FOO)
    (person.folder / "requirements.txt").symlink_to(tmp_path / "secret")
    done = person.types("exec", "--", "true")
    assert done.status == 125
    assert "cannot read requirements.txt: it leads out of the workspace" in done.err


def test_a_grown_lock_file_waits_for_its_approval(person: Person) -> None:
    write(person, "requirements.txt", FOO)
    first = person.types("exec", "--", "echo", "a")
    assert (first.status, first.out) == (0, "a\n"), first.err
    assert "approved with registries: pypi (index.example)" in first.err
    assert "does not exist" not in first.err  # whoever looks at the policy is told
    write(person, "requirements.txt", FOO + BAR)
    refused = person.types("exec", "--", "echo", "a")
    assert refused.status == 125
    assert "reaches more than was approved here: registries.pypi: packages bar 2" in refused.err
    assert person.types("exec", "--dry-run", "--", "true").status == 0
    assert person.types("policy", "approve", "--check").status == 1
    assert "+ registries.pypi: packages bar 2" in person.types("policy", "approve", "--yes").out
    assert person.types("exec", "--", "echo", "a").out == "a\n"
    write(person, "requirements.txt", FOO)
    assert person.types("sandboxes", "create", "dev").status == 0


def test_diff_reads_the_lock_files_beside_each_policy(person: Person) -> None:
    write(person, "requirements.txt", FOO + BAR)
    for path, text in (("old/cleanroom.yaml", POLICY), ("old/requirements.txt", FOO)):
        write(person, path, text)
    done = person.types("policy", "diff", "old/cleanroom.yaml", "cleanroom.yaml")
    assert (done.status, done.out) == (1, "+ registries.pypi: packages bar 2\n")
    done = person.types("policy", "diff", "cleanroom.yaml", "old/cleanroom.yaml")
    assert (done.status, done.out) == (0, "- registries.pypi: packages bar 2\n")


def test_a_lock_file_larger_than_other_requests_is_sent_whole(person: Person) -> None:
    pins = "".join(f"p{number}==1 --hash=sha256:{number:064x}\n" for number in range(500))
    write(person, "requirements.txt", f"# {'x' * 997}\n" * 2000 + pins)
    report = json.loads(person.types("policy", "validate", "--json").out)
    assert report["registries"][0]["pinned"] == 500
    write(person, "requirements.txt", "#" * (16 * 1024 * 1024 + 1))
    done = person.types("exec", "--", "true")
    assert (done.status, done.out) == (125, "")
    assert "the lock files are larger than 16 MiB together" in done.err
