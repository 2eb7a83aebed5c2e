import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.policy.model import BackendPolicy, Labels
from cleanroom.policy.parse import parse_policy
from cleanroom.policy.problems import MAX_PROBLEMS
from cleanroom.policy.yaml_reader import MAX_BYTES
from tests.policy.reading import (
    BUDGET_S,
    EXAMPLES,
    PATH,
    compiled,
    network,
    problems_in,
    said_of,
    seconds_of,
)
from tests.policy.test_yaml_reader import HOSTILE

MISSION = """\
version: 1
project:
  name: example-repo
  owner: team-platform

backends:
  default: local
  allow_overrides: true

sandbox:
  ttl_minutes: 30
  network:
    default: deny
    allow:
      - host: npm.example
        ports: [443]
      - host: api.github.com
        ports: [443]

registries:
  npm:
    enable: true
    allowed_hosts:
      - npm.example
      - yarn.example
    cache_ref: content-cache
    fallback: deny
    lockfile_enforcement:
      enabled: true
      mode: deny_unknown
      lockfiles:
        - package-lock.json
        - yarn.lock

metadata:
  team: platform-security
  risk_class: low
"""


def test_the_whole_documented_policy_is_read() -> None:
    policy = parse_policy(MISSION, PATH)
    assert policy.path == PATH
    assert policy.labels == Labels(
        (("name", "example-repo"), ("owner", "team-platform")),
        (("team", "platform-security"), ("risk_class", "low")),
    )
    assert policy.backends == BackendPolicy("local", allow_overrides=True)
    assert policy.sandbox.rest.ttl_s == 1800
    assert [rule.rule_id for rule in policy.sandbox.network.allow_rules] == [
        "npm.example:443",
        "api.github.com:443",
    ]
    [npm] = policy.registries
    assert (npm.manager, npm.enabled, npm.cache_ref) == ("npm", True, "content-cache")
    assert npm.allowed_hosts == ("npm.example", "yarn.example")
    assert npm.lockfile.lockfiles == ("package-lock.json", "yarn.lock")


def test_the_mise_section_is_read() -> None:
    text = """\
version: 1
sandbox:
  mise:
    enabled: true
    auto_bootstrap: true
    config_files:
      - .mise.toml
      - .mise/config.toml
"""
    mise = parse_policy(text, PATH).sandbox.rest.mise
    assert (mise.enabled, mise.auto_bootstrap) == (True, True)
    assert mise.config_files == (".mise.toml", ".mise/config.toml")


def test_only_the_version_is_needed() -> None:
    assert compiled("version: 1").network.allow_rules == ()
    for empty in ("sandbox:", "sandbox: {}", "sandbox:\n  network:", "sandbox: {network: {}}"):
        assert compiled(f"version: 1\n{empty}\n").policy_hash == compiled("version: 1").policy_hash


WRONG = {
    "": ["1:1 cannot find a policy in it: it is empty"],
    "# nothing\n": ["1:1 cannot find a policy in it: it is empty"],
    "sandbox: {}": ["1:1 cannot do without version"],
    "version: 2": ["1:10 cannot use '2' for version: it is the number 1"],
    "version: 1.0": ["1:10 cannot use '1.0' for version: it is the number 1"],
    "version: '1'": ["1:10 cannot use '1' for version: it is the number 1"],
    "version: 1\nversion: 1": ["2:1 cannot repeat key 'version': line 1 has it already"],
    "- version: 1": ["1:1 cannot read the file: it is a mapping of keys"],
    "version: 1\nnetwork: {}": ["2:1 cannot use key 'network' at the top level: it is unknown"],
    "version: 1\nproject: {names: x}": ["2:11 cannot use key 'names' in project: it is unknown"],
    "version: 1\nproject: {name: 1.10}": [
        "2:17 cannot use '1.10' for project.name: readers of YAML disagree whether it is text"
    ],
    "version: 1\nbackends: {default: sprite}": [
        "2:21 cannot use 'sprite' for backends.default: it is local, sprites, docker or kubernetes"
    ],
    "version: 1\nmetadata: {a: [b]}": ["2:15 cannot use a list for metadata.'a': it is text"],
    "version: 1\nsandbox: [": ["3:1 cannot read it as YAML: did not find expected node content"],
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_with_its_place(text: str) -> None:
    assert said_of(text) == WRONG[text]


def test_a_misplaced_section_is_told_where_it_belongs() -> None:
    [problem] = problems_in("version: 1\nnetwork: {}")
    assert problem.hint == "it belongs under 'sandbox'"


def test_every_problem_is_listed_in_one_pass() -> None:
    text = """\
version: 1.0
projects: {}
sandbox:
  ttl_minutes: "30"
  ttl_minutes: 30
  network:
    default: allow
    allow:
      - host: '*'
        ports: [0, 70000, 0443, ４４３]
      - &x {host: a.example}
      - *x
      - {host: no}
"""
    assert [line.split(" ")[0] for line in said_of(text)] == [
        "1:10", "2:1", "4:16", "5:3", "7:14", "9:15", "10:17", "10:20", "10:27", "10:33",
        "11:9", "12:9", "12:9", "13:16",
    ]  # fmt: skip


def test_no_more_than_a_page_of_problems_is_listed() -> None:
    text = network(*["{host: '*'}"] * 900)
    problems = problems_in(text)
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].message.startswith("cannot list more")


def test_text_of_a_file_that_is_no_policy_is_not_quoted() -> None:
    text = "root:$6$salt$hash:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n"
    assert said_of(text) == [
        "1:1 cannot use this key at the top level: it is unknown",
        "1:1 cannot do without version",
        "2:1 cannot use this key at the top level: it is unknown",
    ]


def test_a_thousand_rules_are_read_and_no_more() -> None:
    rules = [f"{{host: h{n}.example}}" for n in range(1001)]
    assert len(compiled(network(*rules[:1000])).network.allow_rules) == 1000
    assert said_of(network(*rules)) == [
        "5:5 cannot use 1001 entries for sandbox.network.allow: 0 to 1000 entries"
    ]


HOSTILE_POLICIES = HOSTILE | {
    "many wrong rules": network(*["{hosts: '*'}"] * 3000),
    "many unknown keys": "version: 1\n" + "".join(f"version{n}: 1\n" for n in range(3500)),
    "many long unknown keys": "".join("v" * 39 + f"{n}: 1\n" for n in range(1400)),
    "many rules": network(*[f"{{host: h{n}.example, ports: [80, 443]}}" for n in range(1000)]),
    "many ports": network(f"{{host: a.example, ports: [{', '.join(['443'] * 64)}]}}"),
    "one long host": network("{host: " + "a" * 60_000 + "}"),
    "one long idn": network("{host: " + "ü" * 30_000 + "}"),
    "one long purl": "version: 1\nregistries: {npm: {exceptions: [{purl: pkg:npm/"
    + "a/" * 30_000
    + "}]}}",
    "one long path": "version: 1\nsandbox: {mise: {config_files: [" + "a/" * 30_000 + "]}}",
}


@pytest.mark.parametrize("name", HOSTILE_POLICIES)
def test_hostile_policies_are_judged_in_milliseconds(name: str) -> None:
    text = HOSTILE_POLICIES[name]
    assert len(text.encode()) <= MAX_BYTES
    assert seconds_of(lambda: problems_in(text)) < BUDGET_S


@given(st.text(max_size=200) | st.text(alphabet="abhost:-[]{}&*!|>'\"# \n01.", max_size=200))
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_text_is_a_policy_or_has_policy_errors(text: str) -> None:
    for whole in (text, f"version: 1\nsandbox:\n  network:\n    allow:\n    - {text}"):
        problems = problems_in(whole)
        assert all(each.line >= 1 and each.column >= 1 for each in problems)
        assert all(each.message.startswith("cannot ") for each in problems)


@given(st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_damage_to_a_right_policy_is_a_policy_or_has_policy_errors(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(MISSION)))
    end = data.draw(st.integers(start, min(start + 20, len(MISSION))))
    noise = data.draw(st.text(max_size=8))
    problems_in(MISSION[:start] + noise + MISSION[end:])
