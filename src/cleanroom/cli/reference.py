"""docs/cli.md: every command, flag, exit status and JSON shape, from the parsers themselves.

In: the commands' parsers. Out: the page's text; a test compares. Never: imported by a command.
"""

from collections.abc import Iterator
from typing import Final

from cleanroom.cli.main import ALIASES, COMMANDS, load
from cleanroom.cli.parser import Parser

# What stands on stdout under --json. Names in capitals are schemas of docs/openapi.json.
JSON_SHAPES: Final = {
    "exec": "One object a line: `start` (`run_id`, `sandbox_id`, `execution_id`, `policy_hash`, "
    "`notes`), `stdout` and `stderr` (`text`, or `base64` where the bytes are not UTF-8), `denied` "
    "(a Denial), `note` (`text`), and last `exit`. The last line, and the file of `--result-file`, "
    "hold `run_id`, `sandbox_id`, `exit_code`, `failure` (null, or a Failure), `denied`, "
    "`changed_files`, `timings`, `notes`. With `--dry-run`: one object of type `plan`, a RunPlan. "
    "With `-d`: one object of type `detached`, the fields of `start`.",
    "policy validate": "A PolicyReport with `valid: true`; or `valid: false`, `code` and `errors`, "
    "each a PlacedError.",
    "policy explain": "A PolicyExplanation.",
    "policy check": "A PolicyCheck.",
    "policy diff": "A PolicyDiff.",
    "policy approve": "A PolicyApproval.",
    "policy reload": "A PolicyReload; `outcome` is `narrowed`, `same` or `refused`.",
    "lock inspect": "One object: `path`, `format`, `format_version`, `pins` (`ecosystem`, `name`, "
    "`version`, `file`, `url`, `digests`, `line`, `strength`), `unpinned`, `includes`.",
    "policy suggest": "A PolicySuggestion, and `written`.",
    "init": "A PolicyInit, and `path`: what was written, or null.",
    "doctor": "`ready`, `backends`, `host`, `repairs`: see the command's own output.",
    "status": "A Run.",
    "diff": "A ChangeSet.",
    "apply": "An ApplyReport.",
    "secrets list": "`secrets`: `id`, `env`, `hosts`, `source` in words, `unapproved` hosts.",
    "secrets check": '`secrets`: `id`, and `problem`, "" if its value can be used.',
    "agents list": "`agents`: `name`, `title`, `command`, `credentials` (`secret`, "
    "`variable` inside, `outside` variables, `headers`, `hosts`, `login_file`, `login_pointer`, "
    "`environment`, `told`, `files`), `environment`, `volume`, `package`, `version`, "
    "`refused`, `notes`.",
    "port": "A Port; without one: a PortList.",
    "sandboxes list": "`sandboxes`: a list of Sandbox.",
    "sandboxes create": "A Sandbox.",
    "sandboxes inspect": "A Sandbox.",
    "sandboxes stop": "A Sandbox each.",
    "sandboxes files": "A FileList.",
    "sandboxes extend": "A Sandbox.",
    "sandboxes rm": "A Sandbox each, as it was.",
    "sandboxes prune": "A PruneReport.",
    "cache info": "A CacheInfo.",
    "cache verify": "A CacheVerification.",
    "cache prune": "A CachePruned.",
    "cache warm": "One object: `files`, `bytes`, `failed` (each with `what` and `why`).",
    "volumes list": "A VolumeList.",
    "volumes rm": "A VolumeList: what was removed.",
    "volumes prune": "A VolumeList: what was removed.",
    "sandboxes sync": "One object a line: a SyncLine each, and last `exit`.",
    "sandboxes events": "One object a line: an EventLine or NetworkLine each, and last `exit`.",
    "executions list": "`executions`: a list of Execution.",
    "executions get": "An Execution.",
    "executions logs": "One object a line: an OutputLine or GapLine each, and last `exit`.",
    "executions attach": "As `exec`; also `position` (a PositionLine) and `gap` (a GapLine).",
    "executions wait": "An Execution.",
    "executions cancel": "An Execution.",
    "executions kill": "An Execution.",
    "audit": "One object a line: `type` is `record`, `record` is the line of the log "
    "(docs/audit.md).",
    "audit verify": "An AuditVerification.",
    "config show": "A ConfigReport.",
    "explain": "`code`, `meaning`, `cause`, `next`; without a code: `codes`.",
    "version": "`client`, `daemon` (null if none listens), `python`.",
}

_HEAD: Final = """\
# Command line

Generated from the parsers: `make docs`. `cleanroom COMMAND --help` shows the same flags.

## Exit statuses

| Status | Meaning |
|---|---|
| the command's own | `exec`, `attach`, `wait`: it ran; refusals inside never change the status |
| 0 | success |
| 1 | a command without a workload failed, or its answer is no |
| 2 | the command line is wrong |
| 124 | the same: it took longer than `--timeout` or the sandbox's time to live |
| 125 | the same: cleanroom could not start it, does not know it, or lost its outcome |
| 126, 127 | the same: found but not executable; not found |
| 128+n | the same: ended by signal n; 130 is Ctrl-C, also for a client that left |

A command may itself exit with 125: `--json` and `--result-file` tell the two apart.

## Output

- Only the workload's bytes, untouched, go to stdout and stderr; cleanroom speaks on stderr.
- Every object of `--json` has `"version": 1`. A field may be added under the same version; none
  changes its meaning.
- Colour: `FORCE_COLOR`, else `NO_COLOR`, else `CLICOLOR_FORCE`, else a terminal whose `TERM` is not
  `dumb`.

## Variables

| Variable | Meaning |
|---|---|
| `CLEANROOM_HOST` | the daemon's address, as `--host` |
| `CLEANROOM_AUTOSTART` | `0`: do not start a daemon, as `--no-autostart` |

## Which folder, which policy

From the current folder (or `-C`) upward to the git top level; without git to the nearest policy;
else the folder itself. That is the workspace: it must be yours, and be neither `/`, a home, nor
hold one. Its policy is `cleanroom.yaml`, or `.buildkite/cleanroom.yaml` only if that is absent. No
policy: every connection is refused.
"""


def render_markdown() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(line for name in COMMANDS for line in _command(name)), *_aliases()])


def _command(name: str) -> Iterator[str]:
    yield f"## cleanroom {name}\n"
    parsers = load(name).parsers()
    for parser in parsers:
        if len(parsers) > 1:
            yield f"### {parser.prog}\n"
        yield from _parser(parser)


def _parser(parser: Parser) -> Iterator[str]:
    operands = " ".join(name for name, _ in parser.operands)
    yield f"{parser.summary}\n"
    yield f"    {parser.prog} [flags] {operands}".rstrip() + "\n"
    yield "| Word | Meaning |"
    yield "|---|---|"
    for name, text in [*parser.operands, *((flag.usage, flag.text) for flag in parser.flags)]:
        yield f"| `{name}` | {text} |"
    yield f"\nExample: `{parser.example}`\n"
    shape = JSON_SHAPES.get(parser.prog.removeprefix("cleanroom "))
    if shape:
        yield f"`--json`: {shape}\n"


def _aliases() -> Iterator[str]:
    yield "## Aliases\n"
    for alias, words in ALIASES.items():
        yield f"- `cleanroom {alias}` is `cleanroom {' '.join(words)}`"
    yield "- `cleanroom sandboxes terminate` is `cleanroom sandboxes stop`\n"
