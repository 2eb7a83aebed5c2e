"""Which command `logs`, `wait` and `attach` mean: the one that is named, else the last.

In: a sandbox and an execution, both optional. Out: the path values of the endpoints. Never: a guess
for a command that ends something.
"""

import argparse

from cleanroom.cli.parser import Parser
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call
from cleanroom.errors import Code, UserError


def add_chosen(parser: Parser) -> None:
    """Add the operands of a command that looks at an execution."""
    parser.operand("SANDBOX", "its id or name; without one, the last run is meant", "?")
    parser.operand("EXECUTION", "its id; without one, the newest of the sandbox", "?")


def chosen(options: argparse.Namespace, connection: Connection) -> dict[str, str]:
    """Return the ids that the endpoints take. Raises UserError if there is nothing yet."""
    sandbox, execution = options.sandbox, options.execution
    if sandbox is None:
        run = connection.call(Call("get_run", {"run_id": "last"}))
        return {"sandbox_id": run.text("sandbox_id"), "execution_id": run.text("execution_id")}
    if execution is None:
        newest = connection.call(
            Call("list_executions", {"sandbox_id": sandbox}, {"limit": "1"})
        ).items("executions")
        if not newest:
            message = f"cannot find an execution in {sandbox}: there is none yet"
            hint = f"cleanroom exec --sandbox {sandbox} -- COMMAND"
            raise UserError(Code.EXECUTION_NOT_FOUND, message, hint)
        execution = newest[0].text("id")
    return {"sandbox_id": sandbox, "execution_id": execution}
