"""`cleanroom status`: result and timings of a run, by default the last one.

In: a run's id. Out: lines, or its whole record as JSON. Never: a time that was not measured.
"""

import argparse

from cleanroom.cli.exec_output import counted, denied_summary
from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.cli.sizes import size_text
from cleanroom.client.calls import Call
from cleanroom.client.reply import Reply


def status_parser() -> Parser:
    """Return the parser of `status`."""
    parser = Parser(
        "status",
        "Show result and timings of a run, by default the last one.",
        "cleanroom status --run-id ID --json",
    )
    parser.value("--run-id", "ID", "the run", default="last")
    parser.switch("--json", "its whole record as one JSON object")
    add_daemon_flags(parser)
    return parser


def status(options: argparse.Namespace, shell: Shell) -> int:
    """Show it."""
    with shell.connect(options) as connection:
        run = connection.call(Call("get_run", {"run_id": options.run_id}))
    if options.json:
        shell.screen.json(run.fields)
    else:
        _show(run, shell)
    return 0


def _show(run: Reply, shell: Shell) -> None:
    code = run.maybe_number("exit_code")
    rows = [
        ("run", run.text("id")),
        ("sandbox", run.text("sandbox_id")),
        ("execution", run.text("execution_id")),
        ("command", " ".join(run.texts("command"))),
        ("workspace", run.text("workspace")),
        ("backend", run.text("backend")),
        ("policy", run.text("policy_hash")),
        ("state", run.text("state")),
        ("exit code", "-" if code is None else str(code)),
        ("created", run.text("created_at")),
        ("finished", run.text("finished_at", "-")),
    ]
    if "failure" in run:
        failure = run.item("failure")
        rows.append(("failure", f"{failure.text('code')}: {failure.text('reason')}"))
    for name, value in rows:
        shell.screen.out(f"{name.ljust(10)} {plain(value)}")
    changed = run.maybe_number("changed_files")
    if changed is not None:
        shell.screen.out(f"{'changed'.ljust(10)} {counted(changed, 'file')}")
    if "cache" in run:
        shell.screen.out(f"{'cache'.ljust(10)} {cache_text(run.item('cache'))}")
    if run.items("denied"):
        denied = denied_summary(run.items("denied")).removeprefix("cleanroom: ")
        shell.screen.out(f"{'denied'.ljust(10)} {denied}")
    shell.screen.out("timings")
    timings = run.table("timings")
    width = max(map(len, timings), default=0)
    for name, took in timings.items():
        shell.screen.out(f"  {name.ljust(width)} {_milliseconds(took)}")


def cache_text(use: Reply) -> str:
    """Return e.g. "3 hits, 1 miss, 1.5 MiB not fetched again"."""
    kinds = {"hits": ("hit", "hits"), "misses": ("miss", "misses"), "stale": ("stale", "stale")}
    counts = {name: use.maybe_number(name) or 0 for name in kinds}
    said = [f"{count} {kinds[name][count != 1]}" for name, count in counts.items() if count]
    saved = use.maybe_number("saved_bytes") or 0
    return ", ".join([*said, f"{size_text(saved)} not fetched again"])


def _milliseconds(took: object) -> str:
    return f"{took:10.1f} ms" if isinstance(took, int | float) else "         -"


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `status`."""
    return (status_parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Run it."""
    return run_one(Sub(status_parser, status), words, shell)
