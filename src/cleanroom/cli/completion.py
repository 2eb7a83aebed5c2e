"""What may stand where the cursor is: commands, flags, ids of what lives in the daemon.

In: the words after `cleanroom`, the last one being typed. Out: candidates with their meaning; none
where the shell's own file names are the answer. Never: a daemon started, a complaint, or a wait
that a person would notice.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from cleanroom.cli.main import ALIASES, COMMANDS, load
from cleanroom.cli.parser import Flag, Parser
from cleanroom.errors import Code

SHELLS: Final = ("bash", "zsh", "fish")
SIGNALS: Final = ("TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT")
# What a flag's value or an operand is called in the parsers, and what it may then be.
FIXED: Final[Mapping[str, Sequence[str]]] = {
    "LEVEL": ("namespaces", "gvisor", "vm"),
    "CODE": tuple(Code),
    "SHELL": SHELLS,
}
FLAG_VALUES: Final[Mapping[str, Sequence[str]]] = {
    "--signal": SIGNALS,
    "--backend": ("local",),
    "--workspace": ("cow", "ro", "live"),
}
# Commands to which a sandbox that has ended still has something to say.
READING: Final = (
    "executions",
    "diff",
    "apply",
    "audit",
    "sandboxes inspect",
    "sandboxes events",
    "sandboxes rm",
)


class Candidate(NamedTuple):
    """A word that may stand there, and what it means."""

    word: str
    meaning: str = ""


class Live(Protocol):
    """What the daemon knows; nothing where none listens."""

    def sandboxes(self, *, ended: bool) -> list[Candidate]:
        """Names, and ids of those without one; newest first."""
        ...

    def executions(self, sandbox: str) -> list[Candidate]:
        """Ids of one sandbox's executions."""
        ...

    def runs(self) -> list[Candidate]:
        """Ids of the newest runs."""
        ...

    def secrets(self) -> list[Candidate]:
        """Ids of the secrets that this folder's policy binds."""
        ...


def complete(words: Sequence[str], live: Live) -> list[Candidate]:
    """Return what the last word may become."""
    *before, current = _joined(words) or [""]
    flag, is_assigned, value = current.partition("=")
    if before and is_assigned and flag.startswith("--"):
        found = complete([*before, flag, value], live)
        return [Candidate(f"{flag}={each.word}", each.meaning) for each in found]
    return [each for each in _candidates(before, current, live) if each.word.startswith(current)]


def _joined(words: Sequence[str]) -> list[str]:
    """Take bash's `--flag`, `=`, `value` for `--flag value`."""
    last = len(words) - 1
    kept = [word for index, word in enumerate(words) if word != "=" or index == last]
    return [*kept[:-1], ""] if kept[-1:] == ["="] else kept


def _candidates(before: list[str], current: str, live: Live) -> list[Candidate]:
    if not before:
        aliases = [Candidate(alias, " ".join(words)) for alias, words in ALIASES.items()]
        return [*(Candidate(*each) for each in COMMANDS.items()), *aliases, Candidate("help")]
    if before == ["help"]:
        return [Candidate(*each) for each in COMMANDS.items()]
    alias: tuple[str, ...] = ALIASES.get(before[0], (before[0],))
    name, *rest = [*alias, *before[1:]]
    if name not in COMMANDS:
        return []
    parsers = {parser.prog.removeprefix("cleanroom "): parser for parser in load(name).parsers()}
    subcommands = [
        Candidate(words.removeprefix(f"{name} "), parser.summary)
        for words, parser in parsers.items()
        if words != name
    ]
    if rest and f"{name} {rest[0]}" in parsers:
        return _of_command(parsers[f"{name} {rest[0]}"], rest[1:], current, live)
    if name not in parsers:
        return subcommands if not rest else []
    more = subcommands if not rest else []
    return more + _of_command(parsers[name], rest, current, live)


def _of_command(parser: Parser, before: list[str], current: str, live: Live) -> list[Candidate]:
    flags = {name: flag for flag in parser.flags for name in flag.names}
    wanted = [name.strip("[]…") for name, _ in parser.operands]
    asked = Asked(live, ended=parser.prog.removeprefix("cleanroom ").startswith(READING))
    if before and before[-1] in flags and flags[before[-1]].value:
        return _values(flags[before[-1]], asked)
    given = _operands(before, flags)
    if given and wanted and wanted[0].endswith("COMMAND"):
        return []  # the workload's own words
    if current.startswith("-"):
        return [Candidate(name, flag.text) for flag in parser.flags for name in flag.names]
    if len(given) >= len(wanted) and parser.operands and parser.operands[-1][0].endswith("…]"):
        more = _operand(wanted[-1], given, asked)
        return [each for each in more if each.word not in given]
    return _operand(wanted[len(given)], given, asked) if len(given) < len(wanted) else []


class Asked(NamedTuple):
    """Whom to ask, and whether what has ended counts."""

    live: Live
    ended: bool


def _operands(words: Sequence[str], flags: Mapping[str, Flag]) -> list[str]:
    """Return the words that are neither flags nor their values."""
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in flags and flags[word].value:
            next(rest, None)
        elif word == "--" or not word.startswith("-"):
            found.append(word)
    return found


def _operand(name: str, given: Sequence[str], asked: Asked) -> list[Candidate]:
    match name:
        case "SANDBOX":
            return asked.live.sandboxes(ended=asked.ended)
        case "EXECUTION":
            return asked.live.executions(given[0])
        case "ID":  # `secrets test`
            return asked.live.secrets()
        case _:
            return [Candidate(word) for word in FIXED.get(name, ())]


def _values(flag: Flag, asked: Asked) -> list[Candidate]:
    if "--sandbox" in flag.names:
        return asked.live.sandboxes(ended=asked.ended)
    if "--run-id" in flag.names:
        return asked.live.runs()
    fixed = [words for name, words in FLAG_VALUES.items() if name in flag.names]
    return [Candidate(word) for words in fixed or [FIXED.get(flag.value, ())] for word in words]
