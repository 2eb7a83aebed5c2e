"""`cleanroom exec -d`: started, its ids said, left to run.

In: a RunRequest and the flags. Out: `SANDBOX EXECUTION` on stdout, or one JSON object. Never: a
flag whose promise needs somebody who waits for the end.
"""

from cleanroom.cli.approval import create_run
from cleanroom.cli.parser import Options
from cleanroom.cli.shell import Shell
from cleanroom.errors import Code, UsageError


def refuse_waiting_flags(options: Options) -> None:
    """Raise UsageError for a flag that only a client that stays could keep."""
    wanted = {"--result-file": options.result_file, "--fail-on-denied": options.fail_on_denied}
    for name, value in wanted.items():
        if value:
            message = f"cannot use {name} with -d: nobody waits for the end"
            hint = "leave one out; the result: cleanroom executions wait, cleanroom status"
            raise UsageError(Code.REQUEST_INVALID, message, hint)


def run_detached(request: dict[str, object], options: Options, shell: Shell) -> int:
    """Start it and say where it runs. Standard input is not sent: nobody stays to send it."""
    with shell.connect(options) as connection:
        run = create_run(connection, request, options, shell)
    sandbox, execution = run.text("sandbox_id"), run.text("execution_id")
    if options.json:
        shell.screen.json(
            {
                "type": "detached",
                "run_id": run.text("id"),
                "sandbox_id": sandbox,
                "execution_id": execution,
                "policy_hash": run.text("policy_hash"),
                "notes": run.texts("notes"),
            }
        )
        return 0
    for note in run.texts("notes"):
        shell.screen.say(f"cleanroom: {note}")
    if options.workspace not in ("ro", "live"):
        shell.screen.say(
            "cleanroom: it has a copy of the workspace; so that it sees your edits:"
            f" cleanroom sandboxes sync {options.sandbox or sandbox} --follow"
        )
    shell.screen.out(f"{sandbox} {execution}")
    if options.verbose:
        shell.screen.say(f"cleanroom: next: cleanroom logs -f {sandbox} {execution}")
    return 0
