"""What lock files say of git, in every format, and the one spelling of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.lockfile.collector import GIT, GIT_HELD
from cleanroom.lockfile.formats import read_lockfile
from cleanroom.lockfile.model import Ecosystem, Pin
from cleanroom.lockfile.repositories import (
    canonical_repository,
    commit_in,
    repository_at,
    url_of,
    whole_commit,
)

C = "0a2d2506c1fe299691fc5db53a2097db3bd615bc"
URL = "https://code.example/team/lib.git"
BLOCK = '[[package]]\nname = "lib"\nversion = "1.0"\n'


@pytest.mark.parametrize(
    "address",
    [
        "https://code.example/team/lib",
        "https://code.example/team/lib.git",
        "https://code.example/team/lib.git/",
        "https://Code.Example/team/lib",
        "https://code.example:8443/team/lib.git",
        "https://me:token@code.example/team/lib",
        "git+https://code.example/team/lib.git?rev=main#abc",
        "git+ssh://git@code.example/team/lib.git",
        "ssh://git@code.example:2222/team/lib.git",
        "git+ssh://git@code.example:team/lib.git",
        "git@code.example:team/lib.git",
        "code.example:team/lib.git",
        "git://code.example/team/lib",
        "http://code.example/team/lib",
        "https://code.example/te%61m/lib",
    ],
)
def test_a_repository_is_one_however_it_is_fetched(address: str) -> None:
    assert repository_at(address) == "code.example/team/lib"


@pytest.mark.parametrize(
    "address",
    [
        "", "code.example", "https://code.example", "https://code.example/", "lib", "./lib",
        "https://code.example//team/lib", "https://code.example/team/../lib", "hg+https://h/team/x",
        "https://code.example/team/lib%0a", "https:///team/lib", "file:///srv/lib.git",
        "https://code.example/.git", "https://code.example/" + "a" * 1025,
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_repository_has_no_name(address: str) -> None:
    assert repository_at(address) == ""


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("github:team/lib", "github.com"),
        ("git+ssh://gitlab:team/lib", "gitlab.com"),
        ("bitbucket:team/lib", "bitbucket.org"),
    ],
)
def test_the_words_of_clients_for_hosts_are_known(address: str, host: str) -> None:
    assert repository_at(address) == f"{host}/team/lib"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("git+https://me:token@Code.Example:8443/te%61m/lib?rev=main#abc", "/te%61m/lib"),
        ("git+ssh://git@code.example/team/lib.git", "/team/lib.git"),
        ("git@code.example:team/lib.git", "/team/lib.git"),
        ("https://code.example/team/lib/", "/team/lib"),
        ("code.example:team/lib", "/team/lib"),
        ("https://code.example", ""),
        ("lib", ""),
    ],
)
def test_where_a_repository_is_asked_for_has_the_path_as_it_is_written(
    address: str, url: str
) -> None:
    assert url_of(address) == (f"https://code.example{url}" if url else "")
    assert url_of("github:team/lib") == url_of("github:team/lib.git")
    assert url_of("github:team/lib") == "https://github.com/team/lib.git"


def test_only_a_whole_commit_is_one() -> None:
    assert whole_commit(C) == whole_commit(C.upper()) == C
    assert whole_commit(C + "a" * 24)
    assert not any(map(whole_commit, ("", C[:39], C + "a", "main", "g" * 40, f"{C}\n")))
    assert commit_in(f"{URL}#{C}") == commit_in(f"{URL}#workspace=a&commit={C}") == C
    assert not any(map(commit_in, (URL, f"{URL}#main", f"{URL}#commit=ab", f"{URL}#x={C}")))


@given(st.text())
def test_a_name_is_its_own_spelling(text: str) -> None:
    name = canonical_repository(text)
    assert not name or canonical_repository(name) in (name, name.removesuffix(".git"), "")


def npm(**package: str) -> str:
    packages = {"": {}, "node_modules/lib": {"version": "1.0.0", **package}}
    return json.dumps({"lockfileVersion": 3, "packages": packages})


LOCKED = [
    ("package-lock.json", npm(resolved=f"git+ssh://git@code.example/team/lib.git#{C}")),
    ("package-lock.json", npm(resolved=f"git+{URL}#{C}", integrity="sha512-x")),
    ("package-lock.json", json.dumps({"dependencies": {"lib": {"version": f"git+{URL}#{C}"}}})),
    ("yarn.lock", f'lib@x:\n  version "1.0"\n  resolved "git+{URL}#{C}"\n'),
    ("yarn.lock", f'lib@x:\n  version "1.0"\n  resolved "{URL}#{C}"\n'),
    (
        "yarn.lock",
        '__metadata:\n  version: 8\n"lib@x":\n  version: 1.0\n'
        f'  resolution: "lib@{URL}#commit={C}"\n',
    ),
    (
        "pnpm-lock.yaml",
        "lockfileVersion: '9.0'\npackages:\n  lib@x:\n    version: 1.0\n"
        f"    resolution: {{type: git, repo: {URL}, commit: {C}}}\n",
    ),
    ("bun.lock", f'{{"lockfileVersion": 1, "packages": {{"lib": ["lib@git+{URL}#{C}", {{}}]}}}}'),
    ("uv.lock", f'version = 1\n{BLOCK}source = {{ git = "{URL}?rev=v1#{C}" }}\n'),
    (
        "poetry.lock",
        f'{BLOCK}[package.source]\ntype = "git"\nurl = "{URL}"\nresolved_reference = "{C}"\n',
    ),
    ("pdm.lock", f'{BLOCK}git = "{URL}"\nrevision = "{C}"\n'),
    (
        "pylock.toml",
        'lock-version = "1.0"\n[[packages]]\nname = "lib"\n'
        f'vcs = {{type = "git", url = "{URL}", commit-id = "{C}"}}\n',
    ),
    (
        "Pipfile.lock",
        json.dumps({"_meta": {"pipfile-spec": 6}, "default": {"lib": {"git": URL, "ref": C}}}),
    ),
    ("requirements.txt", f"lib @ git+{URL}@{C}\n"),
    ("requirements.txt", f"-e git+{URL}@{C}#egg=lib\n"),
    ("Cargo.lock", f'version = 4\n{BLOCK}source = "git+{URL}?branch=main#{C}"\n'),
]


@pytest.mark.parametrize(("name", "text"), LOCKED)
def test_a_commit_that_a_lock_file_names_is_a_pin_of_git(name: str, text: str) -> None:
    reading = read_lockfile(name, text)
    [pin] = reading.pins
    digests = (f"git:{C}",)
    expected = Pin(Ecosystem.GIT, "code.example/team/lib", C, "", URL, digests, pin.line)
    assert pin == expected
    [entry] = reading.unpinned  # of the registry's packages it is none
    assert (entry.reason, entry.line) == (GIT_HELD, pin.line)


@pytest.mark.parametrize(("name", "text"), LOCKED)
@pytest.mark.parametrize("commit", ["main", C[:12]])
def test_a_branch_or_the_beginning_of_a_commit_is_no_pin(name: str, text: str, commit: str) -> None:
    reading = read_lockfile(name, text.replace(C, commit))
    assert not reading.pins
    [entry] = reading.unpinned
    assert entry.reason == GIT


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", f"lib @ hg+https://code.example/team/lib@{C}\n"),
        ("pdm.lock", f'{BLOCK}hg = "{URL}"\nrevision = "{C}"\n'),
        (
            "pylock.toml",
            'lock-version = "1.0"\n[[packages]]\nname = "lib"\n'
            f'vcs = {{type = "hg", url = "{URL}", commit-id = "{C}"}}\n',
        ),
    ],
)
def test_another_kind_of_repository_is_none_of_git(name: str, text: str) -> None:
    assert not read_lockfile(name, text).pins


@pytest.mark.parametrize(
    "address",
    ["https://gitlab/team/lib", "git+ssh://git@gitlab/team/lib.git", "git@gitlab:team/lib"],
)
def test_a_host_of_ones_own_with_such_a_name_is_itself(address: str) -> None:
    assert repository_at(address) == "gitlab/team/lib"
