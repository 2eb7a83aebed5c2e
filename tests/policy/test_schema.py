import json

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from cleanroom.policy.schema import policy_schema, render_json
from tests.policy.reading import network, problems_in
from tests.policy.test_compile import DIFFERENT
from tests.policy.test_explain import TEXT
from tests.policy.test_parse import MISSION

RIGHT = [MISSION, TEXT, *DIFFERENT, "version: 1\nsandbox:\n  network:\n"]
WRONG = [
    "sandbox: {}",
    "version: 2",
    "version: 1\nprojects: {}",
    "version: 1\nsandbox: {ttl_minutes: 0}",
    "version: 1\nsandbox: {network: {default: allow}}",
    network("{ports: [443]}"),
    network("{host: a.example, ports: [0]}"),
    network("{host: a.example, ports: []}"),
    network("{host: a.example, ports: ['443']}"),
    "version: 1\nmetadata: {release: 1.1}",
    "version: 1\nsandbox: {mise: {config_files: [../a]}}",
    "version: 1\nregistries: {pip: {}}",
]


def test_the_schema_is_a_draft_07_schema() -> None:
    jsonschema.Draft7Validator.check_schema(policy_schema())
    assert json.loads(render_json()) == policy_schema()


@pytest.mark.parametrize("text", RIGHT)
def test_editors_accept_what_the_parser_accepts(text: str) -> None:
    assert not problems_in(text)
    jsonschema.Draft7Validator(policy_schema()).validate(yaml.safe_load(text))


@pytest.mark.parametrize("text", WRONG)
def test_editors_mark_what_the_parser_refuses(text: str) -> None:
    assert problems_in(text)
    assert not jsonschema.Draft7Validator(policy_schema()).is_valid(yaml.safe_load(text))
