"""Words being typed, and what the last one may become."""

import pytest

from cleanroom.cli.completion import SIGNALS, Candidate, complete
from cleanroom.cli.main import ALIASES, COMMANDS
from cleanroom.errors import Code


class Known:
    """A daemon's words."""

    def sandboxes(self, *, ended: bool) -> list[Candidate]:
        return [Candidate("dev", "ready"), *([Candidate("old", "stopped")] if ended else [])]

    def executions(self, sandbox: str) -> list[Candidate]:
        return [Candidate(f"exe_of_{sandbox}")]

    def runs(self) -> list[Candidate]:
        return [Candidate("run_1")]

    def secrets(self) -> list[Candidate]:
        return [Candidate("forge")]


def words(*typed: str) -> list[str]:
    return [each.word for each in complete(typed, Known())]


def test_the_first_word_is_a_command_or_an_alias() -> None:
    assert words() == words("") == [*COMMANDS, *ALIASES, "help"]
    assert words("sandb") == words("help", "sandb") == ["sandboxes"]
    assert words("nonsense", "") == []


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (("policy", "ex"), ["explain"]),
        (("policy", "nonsense", ""), []),
        (("audit", ""), ["verify"]),
        (("audit", "verify", ""), []),
        (("audit", "--den"), ["--denied"]),
        (("explain", "sni"), ["sni_mismatch"]),
        (("completion", "b"), ["bash"]),
        (("stop", ""), ["dev"]),
        (("sandboxes", "stop", ""), ["dev"]),
        (("logs", ""), ["dev", "old"]),
        (("rm", ""), ["dev", "old"]),
        (("rm", "old", ""), ["dev"]),
        (("policy", "reload", "dev", ""), []),
        (("logs", "-f", "dev", ""), ["exe_of_dev"]),
        (("logs", "--tail", "5", "old", ""), ["exe_of_old"]),
        (("logs", "dev", "exe", ""), []),
        (("diff", ""), ["dev", "old"]),
        (("apply", "--sandbox", ""), ["dev", "old"]),
        (("apply", ""), ["dev", "old"]),
        (("apply", "sr"), []),
        (("status", "--run-id", ""), ["run_1"]),
        (("secrets", "test", ""), ["forge"]),
        (("status", "--run-id", "run_1", "--js"), ["--json"]),
        (("executions", "kill", "--signal", ""), [*SIGNALS]),
        (("exec", "--isolation", ""), ["namespaces", "gvisor", "vm"]),
        (("exec", "--backend", ""), ["local"]),
        (("exec", "--timeout", ""), []),
        (("exec", "--sandbox=d"), ["--sandbox=dev"]),
        (("exec", "--sandbox", "=", "d"), ["dev"]),
        (("exec", "--sandbox", "="), ["dev"]),
        (("exec", "--keep-"), ["--keep-on-failure"]),
        (("exec", "npm", "--he"), []),
        (("exec", "--", "--he"), []),
        (("exec", ""), []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_may_follow(typed: tuple[str, ...], expected: list[str]) -> None:
    assert words(*typed) == expected


def test_meanings_go_with_the_words() -> None:
    assert complete(["stop", ""], Known()) == [Candidate("dev", "ready")]
    assert ("--json", "JSON on stdout") in complete(["ps", "-"], Known())
    assert len(words("explain", "")) == len(Code)
