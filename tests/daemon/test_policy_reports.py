"""Compiled policies as messages."""

import asyncio

from cleanroom.api.policy_types import GitReport, PolicyCheckRequest, PolicyText, PushReport
from cleanroom.api.types import RunOptions
from cleanroom.daemon.backends import Backends
from cleanroom.daemon.policy_reports import check_of, report_of
from cleanroom.decide.address import Guard
from cleanroom.decide.tcp import decide_target
from cleanroom.policy.compile import compile_policy
from cleanroom.policy.parse import parse_policy
from tests.fakes import FakeBackend

TEXT = """\
version: 1
project: {name: example}
metadata: {team: security}
sandbox:
  ttl_minutes: 5
  resources: {memory: 1GiB, cpus: 1.5}
  network:
    allow:
      - host: "*.example.com"
        ports: [443]
    deny:
      - host: bad.example.com
registries:
  npm:
    enable: true
    allowed_hosts: [a.example]
    lockfile_enforcement: {enabled: true, mode: warn, lockfiles: [a.lock]}
secrets:
  - {id: token, env: TOKEN, allowed_hosts: [api.example]}
"""
GIT = """\
version: 1
registries: {git: {enable: true, allowed_hosts: [code.example]}}
secrets:
  - {id: a, env: A, allowed_hosts: [code.example], git: {repositories: [team/a]}}
  - id: b
    env: B
    allowed_hosts: [code.example]
    git: {repositories: [team/b], push: {branches: [fix], force: true}}
"""


def test_the_plan_says_everything_that_is_enforced_and_what_is_missing() -> None:
    policy = compile_policy(parse_policy(TEXT, "cleanroom.yaml"))
    place = asyncio.run(Backends({"local": FakeBackend()}, lambda: "").place(policy, RunOptions()))
    report = report_of(policy, place, ["a note"])
    (rule,) = report.allow
    assert (rule.host, rule.ports, rule.line) == ("*.example.com", [443], 9)
    assert report.deny[0].host == "bad.example.com"
    assert report.sandbox.ttl_s == 300
    assert report.sandbox.resources == {"memory": 1 << 30, "cpus": 1.5}
    assert report.registries[0].lockfile_mode == "warn"
    assert report.secrets[0].env == "TOKEN"
    assert (report.project, report.metadata) == ({"name": "example"}, {"team": "security"})
    assert not report.runnable
    assert {each.capability for each in report.missing_capabilities} >= {"registry_enforcement"}
    assert report.notes[0] == "a note"


def test_the_plan_says_what_git_may_do_with_a_secret() -> None:
    policy = compile_policy(parse_policy(GIT, "cleanroom.yaml"))
    place = asyncio.run(Backends({"local": FakeBackend()}, lambda: "").place(policy, RunOptions()))
    reading, pushing = report_of(policy, place, ()).secrets
    assert reading.git == GitReport(["team/a"])
    assert pushing.git == GitReport(["team/b"], PushReport(["fix"], force=True))


def test_a_verdict_names_its_rule_and_line() -> None:
    policy = compile_policy(parse_policy(TEXT, "cleanroom.yaml"))

    def check(host: str, port: int) -> tuple[bool, int, str]:
        request = PolicyCheckRequest(policy=PolicyText(), host=host, port=port)
        answer = check_of(policy, decide_target(policy, Guard(), host, port), request)
        return answer.allowed, answer.line, answer.code

    assert check("a.example.com", 443) == (True, 9, "")
    request = PolicyCheckRequest(policy=PolicyText(), host="a.example", port=443)
    answer = check_of(policy, decide_target(policy, Guard(), "a.example", 443), request)
    assert answer.registry.startswith("packages of npm, TLS opened, ")
    assert check("a.example.com", 80)[::2] == (False, "port_not_allowed")
    assert check("bad.example.com", 443) == (False, 12, "host_not_allowed")
    assert check("other.example", 443) == (False, 0, "host_not_allowed")
