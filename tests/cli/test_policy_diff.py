import json

import pytest

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

DIFF = {
    "old_hash": "sha256:0",
    "new_hash": "sha256:1",
    "wider": True,
    "changes": [{"effect": "wider", "text": "host a.example on port 443"}],
}
ASKED = "POST /v1/policy/diff"


def test_a_wider_file_is_an_answer_of_no(cli: CommandLine) -> None:
    cli.policy("version: 1\n")
    cli.script.answers[ASKED] = Answer(DIFF)
    done = cli("policy", "diff", "/dev/null", "cleanroom.yaml")
    assert (done.status, done.out) == (1, "+ host a.example on port 443\n")
    body = cli.daemon.sent("POST", "/v1/policy/diff").json()
    assert body["old"]["text"] is None
    assert body["new"] == {"path": "cleanroom.yaml", "text": "version: 1\n", "shadowed": False}


def test_equal_files_say_so(cli: CommandLine) -> None:
    cli.policy()
    cli.script.answers[ASKED] = Answer({**DIFF, "wider": False, "changes": []})
    done = cli("policy", "diff", "cleanroom.yaml", "cleanroom.yaml")
    assert (done.status, done.out) == (0, "no difference in what is permitted\n")
    done = cli("policy", "diff", "--json", "cleanroom.yaml", "cleanroom.yaml")
    assert json.loads(done.out)["new_hash"] == "sha256:1"


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"\xff", "not UTF-8"), (b"#" * 65537, "larger than 64 KiB")],
)
def test_what_cannot_be_read_is_said(cli: CommandLine, content: bytes | None, why: str) -> None:
    if content is not None:
        (cli.folder / "old.yaml").write_bytes(content)
    done = cli("policy", "diff", "old.yaml", "/dev/null")
    assert done.status == 1
    assert why in done.err
