"""`mirrors` of config.yaml: https only, and a secret that is there."""

import json

import pytest

from cleanroom.daemon.config import parse_config, report
from cleanroom.decide.mirror import Mirror
from cleanroom.policy.problems import FileErrors

SECRETS = "secrets:\n  company: {env: TOKEN}\n"


def test_every_key_is_read_in_its_one_spelling() -> None:
    text = f"""{SECRETS}mirrors:
  NPM.Example: {{url: "https://M.corp.example:443/api/npm/", auth: company}}
  index.example: {{url: "https://m.corp.example:8443", auth: company, user: robot,
    simple: +simple}}
  files.example: {{url: https://m.corp.example/files, storage: [S3.example:443, d.example:9000]}}
"""
    config = parse_config(text, "config.yaml", {"CLEANROOM_MIRRORS": "x"})
    assert config.settings.mirrors == (
        Mirror("npm.example", "https://m.corp.example/api/npm", "company"),
        Mirror(
            "index.example", "https://m.corp.example:8443", "company", "robot", simple="+simple"
        ),
        Mirror(
            "files.example",
            "https://m.corp.example/files",
            storage=("s3.example", "d.example:9000"),
        ),
    )
    shown = {each.key: each for each in report(config).values}["mirrors"]
    assert shown.origin == "config.yaml:3"
    assert json.loads(shown.value)[2]["url"] == "https://m.corp.example/files"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{auth: company}", "url"),
        ("{url: http://m.example/x}", "no plain https address"),
        ("{url: 'https://u:p@m.example/x'}", "no plain https address"),
        ("{url: https://m.example/x?y=1}", "no plain https address"),
        ("{url: https://m.example/a/../b}", "no plain https address"),
        ("{url: https://m.example/a%2fb}", "no plain https address"),
        ("{url: 'https://m.example/a b'}", "no plain https address"),
        ("{url: https://m.example//b}", "no plain https address"),
        ("{url: https://10.0.0.1/x}", "IP address"),
        ("{url: 'https://m.example:99999/'}", "it is no address"),
        ("{url: https://m.example/, auth: other}", "secrets has none of this id"),
        ("{url: https://m.example/, user: me}", "without a secret"),
        ("{url: https://m.example/, auth: company, user: 'a:b'}", "a user name"),
        ("{url: https://m.example/, token: x}", "it is unknown"),
        ("{url: https://m.example/, storage: ['*.s3.example']}", "host name"),
        ("{url: https://m.example/, storage: [10.0.0.1]}", "IP address"),
        ("{url: https://m.example/, storage: ['https://s3.example']}", "storage"),
        ("{url: https://m.example/, storage: ['s3.example:99999']}", "no port"),
        ("{url: https://m.example/, storage: s3.example}", "it is a list"),
        ("{url: https://m.example/, simple: a/b}", "the name of a folder"),
        ("{url: https://m.example/, simple: ..}", "the name of a folder"),
    ],
)
def test_anything_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(FileErrors) as caught:
        parse_config(f"{SECRETS}mirrors:\n  npm.example: {text}\n", "config.yaml", {})
    said = " ".join(f"{each.message} {each.hint}" for each in caught.value.problems)
    assert why in said
