"""The values that a run takes: asked of the daemon, read by the client, handed over, then the run.

In: a request that makes a run or a sandbox, `--secret` flags. Out: the request with a ticket for
its values. Never: a value read before everything else that could refuse the run was asked; a value
in the request itself.
"""

import contextlib
import os
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Self

from cleanroom.cli.parser import Options, Parser
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call
from cleanroom.client.interrupts import breakable
from cleanroom.client.reply import Reply
from cleanroom.client.sources import Source, given_secrets, no_source, source_of
from cleanroom.errors import Refused

_READ = "read_secret"  # for the line that says what is waited for


def add_secret_flag(parser: Parser) -> None:
    """Add `--secret`."""
    parser.values("--secret", "ID=VAR[@HOST]", "the value of a bound secret; @HOST: go there once")


def add_agent_flag(parser: Parser) -> None:
    """Add `--agent`."""
    parser.value("--agent", "NAME", "with a coding agent's hosts, login and home (agents list)")


def values_given(options: Options, shell: Shell) -> dict[str, Source]:
    """Return what `--secret` and `--agent` say of values. Raises UsageError, UserError."""
    given = given_secrets(options.secret)
    agent = getattr(options, "agent", None)  # not a flag of every command that makes a run
    if agent:
        from cleanroom.cli.agent import agent_named  # noqa: PLC0415 -- only with agents

        source = agent_named(agent, given, shell).source
        given[source.secret_id] = source
    return given


def secret_options(given: Mapping[str, Source]) -> dict[str, list[str]]:
    """Return RunOptions.secrets (api/types.py)."""
    return {secret_id: list(source.hosts) for secret_id, source in given.items()}


class Values:
    """What is handed over for one request. A context manager: the request is made inside."""

    def __init__(self, shell: Shell, given: Mapping[str, Source]) -> None:
        self._shell = shell
        self._given = given
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add_to(self, connection: Connection, request: dict[str, object]) -> dict[str, object]:
        """Return the request with the ticket of its values.

        Raises what the run itself would be refused with, then Refused(secret_unavailable).
        """
        said = Reply.of(request)
        # The client reads no YAML. Where escapes hide the word, a required secret has no value,
        # and the daemon refuses to start. Registries may be asked at a mirror that wants one.
        text = said.item("policy").text("text", "")
        if not self._given and "secrets" not in text and "registries" not in text:
            return request
        connection.check_owner()
        asked = {name: request[name] for name in ("workspace", "policy", "options")}
        needs = connection.call(Call("secret_needs", body={**asked, "run": True}))
        if not needs.flag("taken"):  # it binds none, or the sandbox is there and has them
            if self._given:
                self._shell.screen.warn(
                    "cleanroom: the sandbox is there and keeps its values: --secret is not read"
                    " (--recreate makes a new one)"
                )
            return request
        ticket = self._hand_over(connection.path, needs, said.text("workspace"))
        connection.renew()  # somebody may have had to unlock something
        return {**request, "options": {**said.item("options").fields, "handover": ticket}}

    def _hand_over(self, path: str, needs: Reply, workspace: str) -> str:
        from cleanroom.client.handover import HandOver  # noqa: PLC0415 -- only with secrets

        descriptors: dict[str, int] = {}
        for need in needs.items("secrets"):
            try:
                descriptor = read_secret(need, self._given, self._shell, workspace)
            except Refused as error:
                if need.flag("required"):
                    raise
                self._shell.screen.warn(f"cleanroom: {error.message}; it runs without")
                continue
            self._open.callback(os.close, descriptor)
            descriptors[need.text("id")] = descriptor
        for need in needs.items("mirrors"):
            descriptor = read_secret(need, {}, self._shell, workspace)
            self._open.callback(os.close, descriptor)
            descriptors[need.text("value_id")] = descriptor
        return self._open.enter_context(HandOver(path, descriptors)).ticket


def read_secret(need: Reply, given: Mapping[str, Source], shell: Shell, workspace: str) -> int:
    """Return a descriptor of the value of one binding. Raises Refused(secret_unavailable)."""
    from cleanroom.client.values import Surroundings, sealed_value  # noqa: PLC0415 -- as above

    source = source_of(need, given)
    if source is None:
        said = given.get(need.text("id"))
        is_recipes = said is not None and not said.by_flag  # of `--agent`
        raise no_source(need.text("id"), need.text("env") if is_recipes else "")
    around = Surroundings(shell.environ, workspace)
    shell.progress.says[_READ] = plain(f"waiting for '{source.secret_id}' ({source.text()})")
    # Where gpg's agent knows the terminal, it asks for a passphrase there.
    shown = nullcontext() if "GPG_TTY" in shell.environ else shell.progress(_READ)
    with breakable(), shown:
        return sealed_value(source, around, need.text("kind", "static"))
