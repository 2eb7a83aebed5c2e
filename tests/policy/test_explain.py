from dataclasses import replace

import pytest

from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.compile import compile_nothing
from cleanroom.policy.explain import explain
from cleanroom.policy.model import CompiledPolicy, RegistryException, UnpinnedArtifact
from tests.policy.reading import compiled

TEXT = """\
version: 1
sandbox:
  image: registry.example/a
  network:
    allow:
      - {host: a.example, ports: [443], ech: allow}
      - {host: "*.b.example"}
      - {host: 192.0.2.0/24, ports: [22, 80, 443]}
      - {host: 192.0.2.1, ports: [5432]}
      - {host: c.example, ports: [443], inspect: true}
    deny:
      - {host: d.b.example}
registries:
  npm: {}
  git: {enable: true, allowed_hosts: [git.example], cooldown: 7d}
backends: {allow_overrides: false}
"""


def test_rules_are_said_in_words_with_their_lines() -> None:
    plan = explain(compiled(TEXT))
    assert plan.reach == (
        "a.example on port 443, hidden names (ECH) allowed (line 6)",
        "c.example on port 443, TLS opened (line 10)",
        "addresses in 192.0.2.0/24 on ports 22, 80 and 443 (line 8)",
        "address 192.0.2.1 on port 5432 (line 9)",
        "every name below b.example, not b.example itself, on ports 80 and 443 (line 7)",
        "git repositories at git.example, TLS opened, read only, whatever they have",
    )
    assert plan.refused == ("d.b.example on ports 80 and 443 (line 12)", "everything else")


def test_a_secret_is_said_with_where_it_goes() -> None:
    text = """\
version: 1
sandbox: {network: {allow: [{host: a.example, ports: [443]}]}}
secrets:
  - {id: forge, env: TOKEN, allowed_hosts: [a.example], in: [header, query]}
  - {id: once, env: ONCE, allowed_hosts: [a.example], single_use: true}
  - {id: some, env: SOME, allowed_hosts: [a.example], header: X-Key, methods: [GET], paths: [/v1]}
"""
    forge = "in header, query of requests, TLS opened (line 4)"
    once = "in header of requests, once, TLS opened (line 5)"
    some = "in header X-Key of GET requests below /v1, TLS opened (line 6)"
    assert explain(compiled(text)).reach == (
        "a.example on port 443 (line 2)",
        f"the secret forge (TOKEN) to a.example on port 443, {forge}",
        f"the secret once (ONCE) to a.example on port 443, {once}",
        f"the secret some (SOME) to a.example on port 443, {some}",
    )


def test_what_cannot_run_yet_is_named() -> None:
    assert explain(compiled(TEXT)).notes == (
        "registries.git.cooldown is parsed, not enforced yet: this policy cannot run",
        "sandbox.image is parsed, not enforced yet: this policy cannot run",
        "registries.npm is not enabled: its hosts need network rules",
    )


def test_a_deny_rule_that_leaves_a_port_open_is_named() -> None:
    allow = "{host: '*.a.example', ports: [22, 443]}, {host: b.example, ports: [25, 26]}"
    deny = "{host: x.a.example}, {host: b.example, ports: [80]}, {host: y.example}"
    text = f"version: 1\nsandbox: {{network: {{allow: [{allow}], deny: [{deny}]}}}}"
    assert explain(compiled(text)).notes == (
        "b.example stays allowed on port 25, 26: its deny rule names other ports",
        "x.a.example stays allowed on port 22: its deny rule names other ports",
    )


def test_the_plan_reads_as_one_text() -> None:
    lines = explain(compiled(TEXT)).lines()
    assert lines[0] == "May be reached:"
    assert "  runs on local; --backend may not name another place" in lines
    assert "  has the root file system of registry.example/a" in lines
    assert "  custom_image (sandbox.image)" in lines


def test_a_policy_that_allows_nothing_says_so() -> None:
    plan = explain(compiled("version: 1"))
    assert plan.notes == ("sandbox.network allows nothing: every connection is refused",)
    assert plan.lines()[:4] == ("May be reached:", "  nothing", "Is refused:", "  everything else")


def test_nothing_is_noted_of_a_file_that_is_not_there() -> None:
    assert explain(compile_nothing()).notes == ()


def registry(mode: str, *, pins: int = 0, loose: int = 0, unpinned: int = 0) -> CompiledPolicy:
    """Return a policy with one registry whose lock files were read."""
    text = (
        "version: 1\nregistries: {npm: {enable: true, allowed_hosts: [r.example],"
        f" lockfile_enforcement: {{enabled: true, mode: {mode}, lockfiles: [a]}}}}}}"
    )
    policy = compiled(text)
    (one,) = policy.registries
    held = [ArtifactPin(str(number), "1", digests=("sha512:0",)) for number in range(pins)]
    seen = [ArtifactPin(f"x{number}", "1", strength="first-seen") for number in range(loose)]
    left = [UnpinnedArtifact(f"u{number}", "", "why", f"a:{number}") for number in range(unpinned)]
    one = replace(one, artifact_allowlist=(*held, *seen), unpinned=tuple(left))
    return replace(policy, registries=(one,))


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (
            "deny_unknown",
            "only what a pins (3 artifacts, 1 by name and version only)",
        ),
        (
            "warn",
            "with a warning about all but what a pins (3 artifacts, 1 by name and version only)",
        ),
    ],
)
def test_a_registry_is_reached_as_far_as_its_lock_files_say(mode: str, said: str) -> None:
    assert explain(registry(mode, pins=2, loose=1)).reach == (
        f"packages of npm at r.example, TLS opened, {said}",
    )


def test_several_lock_files_pin_together() -> None:
    one = registry("deny_unknown", pins=1)
    (held,) = one.registries
    lockfile = replace(held.lockfile, lockfiles=("a", "b"))
    one = replace(one, registries=(replace(held, lockfile=lockfile),))
    assert explain(one).reach[0].endswith("only what a, b pin (1 artifact)")


def test_a_registry_without_enforcement_is_reached_whole() -> None:
    assert explain(registry("off")).reach == (
        "packages of npm at r.example, TLS opened, whatever it has",
    )


@pytest.mark.parametrize(("count", "last"), [(1, "pkg:npm/p0@1 until 2027-01-31"), (11, "1 more")])
def test_what_else_a_registry_lets_pass_is_said(count: int, last: str) -> None:
    policy = registry("off")
    (one,) = policy.registries
    excepted = tuple(
        RegistryException(f"pkg:npm/p{number}@1", "2027-01-31", "why") for number in range(count)
    )
    one = replace(one, cooldown_s=7 * 86_400, fallback="direct", exceptions=excepted)
    (said,) = explain(replace(policy, registries=(one,))).reach
    assert ", published 7 days ago or earlier, from the registry itself if the cache fails" in said
    assert "; also pkg:npm/p0@1 until 2027-01-31" in said
    assert said.endswith(last)


def test_what_lock_files_do_not_pin_is_listed_to_a_bound() -> None:
    notes = explain(registry("deny_unknown", unpinned=12)).notes
    assert notes[-2:] == (
        "a:9: u9 is not pinned: why",
        "registries.npm: 2 more entries of lock files are not pinned",
    )
    assert len([note for note in notes if "u" in note and "not pinned: why" in note]) == 10


@pytest.mark.parametrize(("manager", "said"), [("cargo", "pubtime"), ("go", "commit"), ("npm", "")])
def test_where_a_cooldown_has_its_dates_from_is_said(manager: str, said: str) -> None:
    more = "{enable: true, allowed_hosts: [a.example], cooldown: 7d}"
    notes = explain(compiled(f"version: 1\nregistries: {{{manager}: {more}}}")).notes
    assert [said in note for note in notes] == ([True] if said else [])


def test_commits_that_lock_files_pin_are_counted() -> None:
    text = """\
version: 1
registries:
  git:
    enable: true
    allowed_hosts: [code.example]
    lockfile_enforcement: {enabled: true, lockfiles: [Cargo.lock]}
    exceptions: [{purl: pkg:github/team/lib, expires: 2027-01-01, reason: r}]
"""
    assert explain(compiled(text)).reach == (
        "git repositories at code.example, TLS opened, read only, only what Cargo.lock pins "
        "(0 commits); also pkg:github/team/lib until 2027-01-01",
    )


def test_what_a_secret_may_push_is_said() -> None:
    text = """\
version: 1
registries: {git: {enable: true, allowed_hosts: [code.example]}}
secrets:
  - {id: forge, env: TOKEN, allowed_hosts: [code.example], git: {repositories: [team/lib]}}
"""
    forge = "the secret forge (TOKEN) to code.example on port 443, for git repositories team/lib"
    host = "git repositories at code.example, TLS opened, read only"
    assert explain(compiled(text)).reach == (
        f"{host}, whatever they have",
        f"{forge}, in git's requests (line 4)",
    )
    text = text.replace("[team/lib]", "[team/lib], push: {branches: [agent/*]}")
    assert explain(compiled(text)).reach == (
        f"{host} but for what a secret may push",
        f"{forge}, to push branches agent/*, in git's requests (line 4)",
    )
