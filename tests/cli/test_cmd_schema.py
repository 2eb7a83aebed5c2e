"""`cleanroom schema` passes the daemon's document on."""

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer, problem


def test_the_document_comes_out_as_it_is(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/policy/schema"] = Answer(b'{"a": 1}\n')
    assert cli("schema").out == '{"a": 1}\n'


def test_a_refusal_is_an_error(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/policy/schema"] = problem("internal", "cannot render it", 500)
    done = cli("schema")
    assert (done.status, done.out) == (1, "")
    assert "cannot render it" in done.err
