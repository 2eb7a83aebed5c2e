from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.policy.init import InitFacts, init_policy
from cleanroom.policy.parse_registries import MAX_HOSTS
from tests.policy.reading import EXAMPLES, compiled

LOCK = '"resolved": "https://cdn.example:8443/a.tgz"'


def allowed(facts: InitFacts) -> list[str]:
    return [rule.rule_id for rule in compiled(init_policy(facts)).network.allow_rules]


def test_the_policy_allows_what_the_package_managers_need_and_says_why() -> None:
    facts = InitFacts(
        project='my "app"',
        lockfiles=(("web/package-lock.json", LOCK),),
        managers=("npm", "pip"),
        configured={"npm": ("npm.example",)},
        defaults={"npm": ("unused.example",), "pip": ("index.example", "files.example")},
        git_remotes=("git.example",),
    )
    text = init_policy(facts)
    assert text.startswith("# yaml-language-server: $schema=")
    assert allowed(facts) == [
        "cdn.example:8443",
        "files.example:443",
        "index.example:443",
    ]
    assert compiled(text).labels.project == (("name", 'my "app"'),)
    assert (
        """\
      # pip: its own default registry: any package, until a lock file pins them (docs/registries.md)
      - host: index.example
        ports: [443]
      - host: files.example
        ports: [443]
      # packages named in web/package-lock.json
      - host: cdn.example
        ports: [8443]

# Git remotes of this repository; to fetch or push inside, move them under 'allow':
#     - host: git.example
#       ports: [443]

registries:
  npm:
    enable: true
    allowed_hosts:
      # npm: the registry it is configured for
      - "npm.example"
    lockfile_enforcement:
      enabled: true
      mode: deny_unknown  # `warn` lets pass what no lock file pins, and says so
      lockfiles: ["web/package-lock.json"]
"""
        in text
    )


LOCKED = '"resolved": "https://npm.example/a.tgz"'


def registries(facts: InitFacts) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [
        (each.manager, each.allowed_hosts, each.lockfile.lockfiles)
        for each in compiled(init_policy(facts)).registries
        if each.enabled and each.lockfile.enabled and each.lockfile.mode == "deny_unknown"
    ]


def test_who_has_lock_files_gets_registries_with_all_of_them() -> None:
    facts = InitFacts(
        lockfiles=(
            ("package-lock.json", LOCKED),
            ("yarn.lock", ""),
            ("uv.lock", ""),
            ("requirements.txt", "# --hash=sha256:ab"),
            ("requirements-dev.txt", ""),
            ("Cargo.lock", 'registry = "https://cargo.example/"'),
        ),
        managers=("npm", "uv"),
        defaults={"npm": ("r.example",), "pip": ("index.example", "files.example")},
    )
    assert registries(facts) == [
        ("npm", ("npm.example", "r.example"), ("package-lock.json", "yarn.lock")),
        ("pypi", ("files.example", "index.example"), ("requirements.txt", "uv.lock")),
    ]
    assert allowed(facts) == ["cargo.example:443"]


def test_cargo_and_go_are_held_to_their_lock_files() -> None:
    sources = 'source = "registry+https://index-in-git.example/i"\n'
    sources += 'source = "sparse+https://own.example/i/"\nsource = "git+https://git.example/a"\n'
    facts = InitFacts(
        lockfiles=(("Cargo.lock", sources), ("go.sum", "")),
        managers=("cargo", "go"),
        configured={"go": ("proxy.example", "old.example:80")},
        defaults={"cargo": ("index.example", "crates.example")},
    )
    assert registries(facts) == [
        ("cargo", ("crates.example", "index.example", "own.example"), ("Cargo.lock",)),
        ("go", ("proxy.example",), ("go.sum",)),
    ]
    assert allowed(facts) == ["git.example:443", "old.example:80"]


def test_many_lock_files_are_named_by_a_pattern() -> None:
    facts = InitFacts(
        lockfiles=tuple((f"p{number}/package-lock.json", "") for number in range(64)),
        managers=("npm",),
        defaults={"npm": ("npm.example",)},
    )
    assert '"p0/package-lock.json", "p1/package-lock.json"' in init_policy(facts)
    more = replace(facts, lockfiles=(*facts.lockfiles, ("package-lock.json", "")))
    assert 'lockfiles: ["**/package-lock.json"]' in init_policy(more)
    assert compiled(init_policy(more)).registries[0].lockfile.lockfiles == ("**/package-lock.json",)


def test_requirements_without_hashes_are_no_lock_file() -> None:
    facts = InitFacts(
        lockfiles=(("requirements.txt", ""),),
        managers=("pip",),
        defaults={"pip": ("index.example",)},
    )
    assert registries(facts) == []
    assert allowed(facts) == ["index.example:443"]


def test_a_registry_whose_hosts_are_unknown_is_not_written() -> None:
    assert registries(InitFacts(lockfiles=(("package-lock.json", ""),), managers=("npm",))) == []
    odd = ("pkg\\package-lock.json", "a\nb/package-lock.json")
    for path in odd:
        facts = InitFacts(
            lockfiles=((path, ""),), managers=("npm",), defaults={"npm": ("r.example",)}
        )
        assert registries(facts) == []


def test_hosts_beyond_the_bound_of_a_registry_get_rules() -> None:
    facts = InitFacts(
        lockfiles=(("package-lock.json", ""),),
        managers=("npm",),
        configured={"npm": tuple(f"h{number}.example" for number in range(MAX_HOSTS + 1))},
    )
    ((_, hosts, _),) = registries(facts)
    assert len(hosts) == MAX_HOSTS
    assert allowed(facts) == [f"h{MAX_HOSTS}.example:443"]


def test_repositories_whose_commits_a_lock_file_names_are_held_to_it() -> None:
    """Their host gets no rule, and is none of npm's, by https or ssh."""
    resolved = '"resolved": "git+ssh://git@code.example/a.git"\n"resolved": "https://b.example/b"'
    facts = InitFacts(
        lockfiles=(("package-lock.json", resolved), ("core/Cargo.lock", "")),
        managers=("npm",),
        defaults={"npm": ("npm.example",)},
        repositories={
            "package-lock.json": ("code.example", "forge.example"),
            "core/Cargo.lock": ("code.example",),
            "../yarn.lock": ("odd.example",),
        },
    )
    text = init_policy(facts)
    git, npm = compiled(text).registries
    assert (git.manager, git.allowed_hosts) == ("git", ("code.example", "forge.example"))
    assert git.lockfile.lockfiles == ("core/Cargo.lock", "package-lock.json")
    assert "# git repositories named in package-lock.json\n" in text
    assert npm.allowed_hosts == ("b.example", "npm.example")
    assert allowed(facts) == []


def test_a_host_that_packages_come_from_is_none_of_git() -> None:
    facts = InitFacts(
        lockfiles=(("package-lock.json", ""),),
        managers=("npm",),
        defaults={"npm": ("npm.example",)},
        repositories={"package-lock.json": ("npm.example", "localhost")},
    )
    assert [each.manager for each in compiled(init_policy(facts)).registries] == ["npm"]


def test_git_remotes_are_offered_not_allowed() -> None:
    text = init_policy(InitFacts(git_remotes=("git.example", "ssh://git@git.example:22/a")))
    assert "#     - host: git.example\n#       ports: [22]\n" in text
    assert compiled(text).network.allow_rules == ()
    taken = text.replace("    allow: []\n", "    allow:\n").replace("#     ", "      ")
    assert len(compiled(taken).network.allow_rules) == 1


def test_a_manager_without_its_own_configuration_reads_its_relative_s() -> None:
    relatives = {"npm": ("npm.example",), "pip": ("pip.example",)}
    assert allowed(InitFacts(managers=("yarn", "uv"), configured=relatives)) == [
        "npm.example:443",
        "pip.example:443",
    ]
    own = {"yarn": ("yarn.example",), **relatives}
    assert allowed(InitFacts(managers=("yarn",), configured=own)) == ["yarn.example:443"]


def test_a_host_found_twice_is_one_rule_with_all_ports() -> None:
    facts = InitFacts(
        lockfiles=(("package-lock.json", LOCK),),
        managers=("npm",),
        configured={"npm": ("cdn.example:80",)},
    )
    assert allowed(facts) == ["cdn.example:80,8443"]


def test_nothing_found_means_nothing_allowed() -> None:
    facts = InitFacts(managers=("npm", "unknown"), configured={"npm": ("not a host",)})
    assert allowed(InitFacts()) == allowed(facts) == []
    assert "project:" not in init_policy(facts)


PLACES = st.sampled_from(
    ["a.example", "a.example/npm", "A.Example/NPM/", "a.example/npm.", "a.example:443/x/simple"]
)
HOSTS = st.lists(st.one_of(st.text(max_size=20), PLACES), max_size=3).map(tuple)


@given(
    st.builds(
        InitFacts,
        project=st.text(max_size=300),
        lockfiles=st.tuples(st.tuples(st.text(max_size=20), st.just(LOCK))),
        managers=st.tuples(st.text(max_size=8), st.just("npm")),
        configured=st.dictionaries(st.just("npm"), HOSTS),
        git_remotes=HOSTS,
    )
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_whatever_was_found_the_policy_is_right(facts: InitFacts) -> None:
    compiled(init_policy(facts))


NEXUS = "corp.example/repository"


def sites(facts: InitFacts) -> dict[str, tuple[str, ...]]:
    """Return what the policy that is made has of each registry."""
    return {each.manager: each.allowed_hosts for each in compiled(init_policy(facts)).registries}


def test_registries_at_one_host_are_named_with_their_paths() -> None:
    resolved = f'"resolved": "https://{NEXUS}/npm/a/-/a-1.0.0.tgz"'
    facts = InitFacts(
        lockfiles=(("package-lock.json", resolved), ("uv.lock", f'url = "https://{NEXUS}/x"')),
        managers=("npm", "uv"),
        configured={"npm": (f"{NEXUS}/npm",), "pip": (f"{NEXUS}/pypi", "files.example")},
        repositories={"package-lock.json": ("corp.example",)},
    )
    assert sites(facts) == {
        "npm": (f"{NEXUS}/npm",),
        "pypi": (f"{NEXUS}/pypi", "files.example"),
        "git": ("corp.example",),
    }
    assert allowed(facts) == []


def test_a_place_is_of_the_registry_that_was_named_first() -> None:
    """Two at one place would be an error of the policy."""
    facts = InitFacts(
        lockfiles=(("package-lock.json", ""), ("go.sum", ""), ("Cargo.lock", "")),
        managers=("npm", "go", "cargo"),
        configured={
            "npm": ("corp.example",),
            "go": ("corp.example",),
            "cargo": ("corp.example", "corp.example/cargo"),
        },
    )
    assert sites(facts) == {"npm": ("corp.example",), "cargo": ("corp.example/cargo",)}


@pytest.mark.parametrize("path", ["Repo", "repo."])
def test_a_place_that_some_server_takes_for_another_ones_is_no_second_place(path: str) -> None:
    facts = InitFacts(
        lockfiles=(("package-lock.json", ""), ("go.sum", "")),
        managers=("npm", "go"),
        configured={"npm": ("corp.example/repo",), "go": (f"corp.example/{path}",)},
    )
    assert sites(facts) == {"npm": ("corp.example/repo",)}


def test_a_path_that_no_policy_can_name_is_left_out() -> None:
    facts = InitFacts(
        lockfiles=(("go.sum", ""),),
        managers=("go",),
        configured={"go": ("proxy.example/a%20b", "https://other.example/x/")},
    )
    assert sites(facts) == {"go": ("other.example/x", "proxy.example")}


def test_without_a_lock_file_the_host_of_a_site_gets_a_rule() -> None:
    facts = InitFacts(managers=("npm",), configured={"npm": (f"{NEXUS}/npm", "b.example:8443/x")})
    assert allowed(facts) == ["b.example:8443", "corp.example:443"]


LOCKS = ("package-lock.json", "requirements.txt", "go.sum", "Cargo.lock")


@given(
    st.dictionaries(st.sampled_from(["npm", "pip", "go", "cargo"]), HOSTS),
    st.lists(st.sampled_from(["a.example", "b.example"]), max_size=2).map(tuple),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_whatever_registries_share_the_policy_is_right(
    configured: dict[str, tuple[str, ...]], repositories: tuple[str, ...]
) -> None:
    text = 'source = "sparse+https://a.example/npm/" --hash=x "resolved": "https://a.example/x"'
    facts = InitFacts(
        lockfiles=tuple((name, text) for name in LOCKS),
        managers=("npm", "pip", "go", "cargo"),
        configured=configured,
        repositories={"package-lock.json": repositories},
    )
    compiled(init_policy(facts))
