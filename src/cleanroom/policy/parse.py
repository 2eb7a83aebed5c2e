"""Policy text -> Policy as written, or every problem of the file with line and column.

In: text of any kind, and the path to call it by. Out: Policy, or PolicyErrors.
Never: any other exception; more than milliseconds; a key that is accepted and ignored.
"""

import dataclasses
from typing import Final

from cleanroom.policy.fields import Fields, Key, Section, Spot
from cleanroom.policy.model import BackendPolicy, Labels
from cleanroom.policy.parse_registries import REGISTRIES
from cleanroom.policy.parse_sandbox import SANDBOX
from cleanroom.policy.parse_secrets import SECRETS
from cleanroom.policy.problems import START, PolicyErrors, Problems, TooManyProblemsError
from cleanroom.policy.values import choice, count, flag, text, text_map
from cleanroom.policy.written import Policy
from cleanroom.policy.yaml_reader import read_yaml

BACKENDS: Final = ("local", "sprites", "docker", "kubernetes")

_VERSION = Key("version", count(1, 1), 1, "Version of this format.", required=True)
_NAME = Key("name", text(), "", "Name of the project, for audit and listings.")
_OWNER = Key("owner", text(), "", "Who answers for it, for audit and listings.")


def _build_project(fields: Fields) -> tuple[tuple[str, str], ...]:
    pairs = ((key.name, fields.read(key)) for key in (_NAME, _OWNER))
    return tuple((name, value) for name, value in pairs if value)


PROJECT: Final = Key(
    "project", Section((_NAME, _OWNER), _build_project), (), "Labels; they enforce nothing."
)
METADATA: Final = Key(
    "metadata",
    text_map(),
    (),
    "Free labels, text to text, for audit, run records and listings; they enforce nothing.",
    shown="{}",
)

_DEFAULT = Key("default", choice(*BACKENDS), "local", "Where runs take place.", shown="local")
_OVERRIDES = Key(
    "allow_overrides",
    flag(),
    default=True,
    meaning="Whether `--backend` may name another place.",
    shown="true",
)


def _build_backends(fields: Fields) -> BackendPolicy:
    return BackendPolicy(fields.read(_DEFAULT), fields.read(_OVERRIDES))


BACKENDS_KEY: Final = Key(
    "backends",
    Section((_DEFAULT, _OVERRIDES), _build_backends),
    BackendPolicy(),
    "Where runs take place.",
)


def _build_policy(fields: Fields) -> Policy:
    fields.read(_VERSION)
    return Policy(
        path="",
        sandbox=fields.read(SANDBOX),
        registries=fields.read(REGISTRIES),
        secrets=fields.read(SECRETS),
        backends=fields.read(BACKENDS_KEY),
        labels=Labels(fields.read(PROJECT), fields.read(METADATA)),
    )


_ELSEWHERE = {
    "network": "it belongs under 'sandbox'",
    "allow": "it belongs under 'sandbox.network'",
    "deny": "it belongs under 'sandbox.network'",
    "resources": "it belongs under 'sandbox'",
}
POLICY: Final = Section(
    (_VERSION, PROJECT, BACKENDS_KEY, SANDBOX, REGISTRIES, SECRETS, METADATA),
    _build_policy,
    elsewhere=_ELSEWHERE,
)


def parse_policy(text: str, path: str) -> Policy:
    """Return the policy that `text` says. Raises PolicyErrors with every problem found.

    At most 50 problems are listed. Fault if PyYAML cannot read at all.
    """
    problems = Problems(path)
    policy = None
    try:
        policy = _read(text, problems)
    except TooManyProblemsError:
        problems.close()
    if problems.found or policy is None:
        raise PolicyErrors(problems.found)
    return dataclasses.replace(policy, path=path)


def _read(text: str, problems: Problems) -> Policy | None:
    node = read_yaml(text, problems)
    if node is None:
        if not problems.found:
            problems.add(
                START, "cannot find a policy in it: it is empty", "begin with 'version: 1'"
            )
        return None
    return POLICY.read(node, Spot(problems, ""))
