"""`cleanroom completion`: scripts for shells, and the answers that those scripts ask for.

In: a shell's name, or (`completion words`) the words being typed. Out: a script, or one candidate
a line. Never: a daemon started, an error shown, or a long wait: somebody pressed the tab key.
"""

import argparse
import os

from cleanroom.cli.completion import Candidate, complete
from cleanroom.cli.completion_scripts import SCRIPTS
from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call
from cleanroom.client.endpoint import find_endpoint
from cleanroom.client.lockfiles import with_lockfiles
from cleanroom.client.reply import Reply
from cleanroom.client.workspace import Caller, find_workspace, names_lockfiles
from cleanroom.errors import CleanroomError, Code, UsageError

WORDS = "words"
PATIENCE_S = 1.0
NEWEST = {"limit": "50"}


def completion_parser() -> Parser:
    """Return the parser of `completion`."""
    parser = Parser(
        "completion",
        "Print a script that completes commands, flags and ids in your shell.",
        "source <(cleanroom completion bash)",
    )
    parser.operand("SHELL", f"{', '.join(SCRIPTS)}")
    return parser


def completion(options: argparse.Namespace, shell: Shell) -> int:
    """Print the script."""
    if options.shell not in SCRIPTS:
        message = f"cannot complete in {options.shell!r}"
        raise UsageError(Code.REQUEST_INVALID, message, f"one of: {', '.join(SCRIPTS)}")
    shell.screen.raw(SCRIPTS[options.shell])
    return 0


class Daemon:
    """What lives in the daemon, if one listens: completion.Live."""

    def __init__(self, shell: Shell, host: str | None = None) -> None:
        self._shell = shell
        self._host = host

    def sandboxes(self, *, ended: bool) -> list[Candidate]:
        """Names, and ids of those without one; newest first."""
        query = {"all": "true"} if ended else {}
        found = self._ask(Call("list_sandboxes", query={**NEWEST, **query}), "sandboxes")
        return [
            Candidate(each.text("name", "") or each.text("id"), _meaning(each, "workspace"))
            for each in found
        ]

    def executions(self, sandbox: str) -> list[Candidate]:
        """Ids of one sandbox's executions."""
        call = Call("list_executions", {"sandbox_id": sandbox}, NEWEST)
        return [
            Candidate(each.text("id"), _meaning(each, "command"))
            for each in self._ask(call, "executions")
        ]

    def runs(self) -> list[Candidate]:
        """Ids of the newest runs."""
        found = self._ask(Call("list_runs", query=NEWEST), "runs")
        return [Candidate(each.text("id"), _meaning(each, "command")) for each in found]

    def secrets(self) -> list[Candidate]:
        """Ids of the secrets that this folder's policy binds."""
        try:
            workspace = find_workspace(".", Caller(self._shell.uid, (self._shell.home,)))
            with self._connected() as connection:
                policy: dict[str, object] = workspace.policy._asdict()
                if names_lockfiles(workspace.policy.text):
                    policy = with_lockfiles(connection, workspace.root, policy, self._shell.uid)
                report = connection.call(Call("validate_policy", body={"policy": policy}))
        except (OSError, CleanroomError):
            return []
        return [
            Candidate(each.text("id"), ", ".join(each.texts("allowed_hosts")))
            for each in report.items("secrets")
        ]

    def _connected(self) -> Connection:
        endpoint = find_endpoint(self._host, self._shell.environ, os.getuid())
        return Connection.open(endpoint.path, PATIENCE_S)

    def _ask(self, call: Call, name: str) -> list[Reply]:
        """Return the items of one page; none where nobody answers at once."""
        try:
            with self._connected() as connection:
                return connection.call(call).items(name)
        except (OSError, CleanroomError):
            return []


def _meaning(item: Reply, field: str) -> str:
    """Return e.g. "running: npm test"."""
    value = item.fields[field]
    return f"{item.text('state')}: {' '.join(value) if isinstance(value, list) else value}"


def _host_in(words: list[str]) -> str | None:
    """Return the daemon that the line itself names."""
    follows = [words[index + 1] for index, word in enumerate(words[:-1]) if word == "--host"]
    return follows[-1] if follows else None


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `completion`."""
    return (completion_parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Run it; `completion words WORD…` is what the scripts ask."""
    if words[:1] != [WORDS]:
        return run_one(Sub(completion_parser, completion), words, shell)
    for word, meaning in complete(words[1:], Daemon(shell, _host_in(words))):
        shell.screen.out(f"{plain(word)}\t{plain(meaning)}" if meaning else plain(word))
    return 0
