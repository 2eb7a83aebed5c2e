"""`cleanroom apply`: bring what a run changed into the workspace.

In: a run, by default the last one, or a sandbox; paths. Out: what was applied; 1 on a conflict, and
then nothing was, or if marks are left to decide. Never: a change chosen by anybody but the person.
"""

import argparse
import os
import posixpath

from cleanroom.cli.changes import add_changes_flags, of_one_or_path
from cleanroom.cli.exec_output import counted
from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.calls import Call
from cleanroom.client.reply import Reply

NOTHING_THERE = "nothing was changed there"  # what the daemon says of a path that was named


def apply_parser() -> Parser:
    """Return the parser of `apply`."""
    parser = Parser(
        "apply", "Bring what a run changed into the workspace.", "cleanroom apply src/ --check"
    )
    add_changes_flags(parser)
    parser.operand("PATHS", "only these; by default all", "*")
    parser.value("--branch", "NAME", "the commits made inside, as a branch of this name")
    parser.switch("--3way", "merge what both sides changed; what is left to decide is marked")
    parser.switch("--check", "say what would happen, change nothing")
    parser.switch("--json", "one JSON object on stdout")
    add_daemon_flags(parser)
    return parser


def apply(options: argparse.Namespace, shell: Shell) -> int:
    """Apply, and say what became of each path."""
    with shell.connect(options) as connection:
        path, paths = of_one_or_path(options, connection, shell)
        body = {"paths": paths, "check": options.check}
        if options.branch:
            body["branch"] = options.branch
        if getattr(options, "3way"):
            body["three_way"] = True
        report = connection.call(Call("apply_changes", path, body=body))
    vain = [path for path in paths if not _speaks_of(report, path)]
    if options.json:
        shell.screen.json(report.fields)
    else:
        _show(report, vain, shell, "would be applied" if options.check else "applied")
        if report.items("conflicts") and not getattr(options, "3way"):
            shell.screen.say("--3way merges what both sides changed")
    undecided = [each for each in report.items("merged") if each.number("marks")]
    unknown = [path for path in vain if not _is_here(path, options, shell)]
    return 1 if report.items("conflicts") or undecided or unknown else 0


def _speaks_of(report: Reply, wanted: str) -> bool:
    """Tell whether something became of a path, or of one below it."""
    at = posixpath.normpath(wanted)
    found = [*report.texts("applied"), *map(_path_of, report.items("conflicts"))]
    found += map(_path_of, report.items("merged"))
    found += map(_path_of, _left_out(report))
    return any(at in (".", path) or path.startswith(f"{at}/") for path in found)


def _left_out(report: Reply) -> list[Reply]:
    """Return what was changed and is left out."""
    return [each for each in report.items("skipped") if each.text("reason") != NOTHING_THERE]


def _path_of(each: Reply) -> str:
    return each.text("path")


def _is_here(path: str, options: argparse.Namespace, shell: Shell) -> bool:
    """Tell whether the workspace has such a path: what did not change needs no applying."""
    root = shell.workspace(options.C).root
    return os.path.lexists(os.path.join(root, path))  # noqa: PTH118 -- pathlib is slow to import


def _show(report: Reply, vain: list[str], shell: Shell, done: str) -> None:
    branch = report.text("branch", "")
    for path in report.texts("applied"):
        shell.screen.out(plain(path))
    for skipped in _left_out(report):
        before = "" if branch else "left out "
        shell.screen.warn(f"{before}{skipped.text('path')}: {skipped.text('reason')}")
    for merged in report.items("merged"):
        shell.screen.warn(f"{merged.text('path')}: {_merge_text(merged)}")
    conflicts = report.items("conflicts")
    for conflict in conflicts:
        shell.screen.warn(f"conflict {conflict.text('path')}: {conflict.text('reason')}")
    if branch:
        count = counted(report.number("commits"), "commit")
        shell.screen.out(f"{plain(branch)} {report.text('commit')}")
        shell.screen.say(f"{count} {done.replace('applied', 'brought out')}")
        return
    if vain:
        shell.screen.warn(f"nothing was changed at: {plain(' '.join(vain))}")
    count = counted(len(report.texts("applied")), "path")
    if report.texts("applied") or not vain:
        shell.screen.say("nothing was applied" if conflicts else f"{count} {done}")


def _merge_text(merged: Reply) -> str:
    marks = merged.number("marks")
    if not marks:
        return "merged"
    why = "" if merged.flag("base_known") else " (what both sides began with is not known)"
    return f"merged, {counted(marks, 'place')} marked <<<<<<< to decide{why}"


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `apply`."""
    return (apply_parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Run it."""
    return run_one(Sub(apply_parser, apply), words, shell)
