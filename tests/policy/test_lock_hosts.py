from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.policy.lock_hosts import (
    LOCKFILES,
    MAX_TARGETS,
    cargo_hosts,
    hosts_in_lockfile,
    target_of,
)
from tests.policy.reading import EXAMPLES, seconds_of

FOUND = {
    "package-lock.json": (
        '{"funding": {"url": "https://funding.example/"}, "resolved": "https://npm.example/a.tgz",'
        ' "x": {"resolved" : "git+ssh://git@git.example/a.git#1"}}',
        [("git.example", 22), ("npm.example", 443)],
    ),
    "npm-shrinkwrap.json": ('"resolved": "http://npm.example:4873/a"', [("npm.example", 4873)]),
    "yarn.lock": (
        'a@^1:\n  resolved "https://yarn.example/a-1.tgz#x"\n'
        '"b@npm:1":\n  resolution: "b@https://git.example/b.git#commit=1"\n',
        [("git.example", 443), ("yarn.example", 443)],
    ),
    "pnpm-lock.yaml": (
        "resolution: {tarball: https://cdn.example/a}\n  repo: git@git.example:a/b\n",
        [("cdn.example", 443)],
    ),
    "bun.lock": ('["a@1", "https://npm.example/a.tgz", {}]', [("npm.example", 443)]),
    "poetry.lock": ('[package.source]\nurl = "https://py.example/simple"\n', [("py.example", 443)]),
    "uv.lock": (
        'source = { registry = "https://index.example/simple" }\n'
        '  { url = "https://files.example/a.whl", hash = "sha256:0" }\n',
        [("files.example", 443), ("index.example", 443)],
    ),
    "pylock.toml": ('index = "https://index.example/simple"', [("index.example", 443)]),
    "pdm.lock": ('url = "https://files.example/a"', [("files.example", 443)]),
    "Cargo.lock": ('source = "registry+https://crates.example/i"', [("crates.example", 443)]),
    "Pipfile.lock": ('"url": "https://user:pw@py.example/simple"', [("py.example", 443)]),
    "requirements-dev.txt": (
        "# https://comment.example\n--index-url https://index.example/simple\n-i=http://i.example\n"
        "a @ https://files.example/a.whl\n-e git+https://git.example/a#egg=a\nb==1 # https://x.example\n"
        "https://direct.example/c.zip\n",
        [
            ("direct.example", 443),
            ("files.example", 443),
            ("git.example", 443),
            ("i.example", 80),
            ("index.example", 443),
        ],
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_the_hosts_of_packages_are_found(name: str) -> None:
    text, wanted = FOUND[name]
    assert list(hosts_in_lockfile(name, text)) == wanted


def test_every_known_file_has_its_example() -> None:
    assert set(FOUND) - {"requirements-dev.txt"} | {"requirements.txt"} == LOCKFILES


def test_other_files_have_no_hosts() -> None:
    assert hosts_in_lockfile("README.md", '"resolved": "https://npm.example/a"') == ()


@pytest.mark.parametrize(
    "url", ["https://localhost/a", "https://127.0.0.1/a", "https://a_b/", "https://a.example:0/a"]
)
def test_what_no_rule_could_name_is_left_out(url: str) -> None:
    assert hosts_in_lockfile("package-lock.json", f'"resolved": "{url}"') == ()


def test_a_flood_of_hosts_is_cut() -> None:
    flood = "\n".join(f'"resolved": "https://h{n}.example/"' for n in range(10_000))
    assert len(hosts_in_lockfile("package-lock.json", flood)) == MAX_TARGETS


@pytest.mark.parametrize("name", sorted(LOCKFILES))
def test_hostile_text_ends_soon(name: str) -> None:
    for text in ('"resolved": "https://' * 20_000, "@" * 200_000, " " * 200_000, '"a@' * 60_000):
        assert seconds_of(partial(hosts_in_lockfile, name, text)) < 1


@given(st.sampled_from(sorted(LOCKFILES)), st.text(max_size=200))
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_text_is_read(name: str, text: str) -> None:
    assert hosts_in_lockfile(name, text) == tuple(sorted(hosts_in_lockfile(name, text)))


def test_a_target_is_a_host_a_host_with_port_or_a_url() -> None:
    assert target_of("a.example") == ("a.example", 443)
    assert target_of("a.example:8443") == ("a.example", 8443)
    assert target_of("http://u:p@a.example/x?y") == ("a.example", 80)
    assert target_of("not a host") is None
    assert target_of("a_b.example/") is None


def test_a_cargo_lock_names_sparse_registries_git_hosts_and_indexes_that_nobody_asks() -> None:
    text = (
        'source = "registry+https://index-in-git.example/i"\n'
        'source = "sparse+https://own.example/index/"\n'
        'source = "git+https://git.example/a.git?rev=1#1"\n'
    )
    assert cargo_hosts(text) == ((("own.example", 443),), (("git.example", 443),))
