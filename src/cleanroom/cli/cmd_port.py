"""`cleanroom port`: a program inside, reached from this host's loopback.

In: a sandbox, `INSIDE[:HERE]`. Out: where it is reached. Never: a number that the sandbox chose.
"""

from typing import Final

from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Options, Parser
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.calls import Call
from cleanroom.errors import Code, UsageError

HIGHEST: Final = 65_535


def parser() -> Parser:
    """Return the parser."""
    made = Parser(
        "port",
        "Reach a port of a sandbox at this host's loopback; without one, list them.",
        "cleanroom port dev 3000",
    )
    made.operand("SANDBOX", "its id or name")
    made.operand("PORT", "INSIDE, INSIDE:HERE, or INSIDE:0 for any that is free here", "?")
    made.switch("--close", "end it, and its connections")
    made.switch("--json", "JSON on stdout")
    add_daemon_flags(made)
    return made


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `port`."""
    return (parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Publish, list or close."""
    return run_one(Sub(parser, _port), words, shell)


def port_request(text: str) -> dict[str, int]:
    """Return PortRequest (api/port_types.py) of `INSIDE[:HERE]`. Raises UsageError."""
    inside, colon, here = text.partition(":")
    numbers = [inside, here] if colon else [inside, inside]
    if not all(word.isascii() and word.isdigit() and len(word) < 6 for word in numbers):
        raise _no_port(text)
    port, host_port = map(int, numbers)
    if not (0 < port <= HIGHEST and host_port <= HIGHEST):
        raise _no_port(text)
    return {"port": port, "host_port": host_port}


def _no_port(text: str) -> UsageError:
    message = f"cannot read {text!r} as a port"
    hint = "write 3000, or 3000:8080 to reach port 3000 of the sandbox at 8080 here"
    return UsageError(Code.REQUEST_INVALID, message, hint)


def _port(options: Options, shell: Shell) -> int:
    if options.port is None:
        return _list(options, shell)
    wanted = port_request(options.port)
    path = {"sandbox_id": options.sandbox}
    call = Call("publish_port", path, body=wanted)
    if options.close:
        call = Call("close_port", path, {"port": str(wanted["port"])})
    with shell.connect(options) as connection:
        made = connection.call(call)
    if options.json:
        shell.screen.json(made.fields)
    else:
        shell.screen.out(f"{made.text('address')}{' closed' if options.close else ''}")
    return 0


def _list(options: Options, shell: Shell) -> int:
    if options.close:
        message = "cannot close a port: none is named"
        raise UsageError(Code.REQUEST_INVALID, message, "cleanroom port SANDBOX PORT --close")
    with shell.connect(options) as connection:
        found = connection.call(Call("list_ports", {"sandbox_id": options.sandbox}))
    if options.json:
        shell.screen.json(found.fields)
        return 0
    rows = [(str(each.number("port")), each.text("address")) for each in found.items("ports")]
    shell.screen.table(("PORT", "REACHED AT"), rows)
    return 0
