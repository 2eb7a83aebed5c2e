"""What the documents tell a person to type can be typed, and README says what is true."""

import re
import shlex
from pathlib import Path

import pytest

from cleanroom.cli.main import ALIASES, COMMANDS, load
from cleanroom.policy.demands import Capability
from cleanroom.policy.explain import NOT_ENFORCED_YET

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("cli.md",)  # whose lines are patterns
README = (ROOT / "README.md").read_text()
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in GENERATED),
]
SCREENS = 2 * 24
# What README calls a part of the policy that is refused at run time until it is enforced.
LATER = {
    Capability.SECRET_ISOLATION: "`secrets`",
    Capability.CUSTOM_IMAGE: "`sandbox.image`",
    Capability.ISOLATION_GVISOR: "gVisor",
    Capability.ISOLATION_VM: "virtual machine",
    Capability.REGISTRY_GIT: "git",
}
EXAMPLES = [(parser.prog, parser.example) for name in COMMANDS for parser in load(name).parsers()]


def blocks(text: str) -> list[str]:
    """Return the lines of code blocks, fenced or indented."""
    fenced = re.findall(r"^```(?:console|sh|bash)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(fenced).splitlines() + re.findall(r"^ {4}(\S.*)", rest, re.MULTILINE)


def command_lines() -> list[tuple[str, str]]:
    """Return the name of each page with each command line of ours on it."""
    begins = re.compile(r"(\$ )?((sudo|source|[A-Z_]+=\S*) )?(<\()?(\S*/)?cleanroom \S")
    return [
        (page.name, line.removeprefix("$ "))
        for page in PAGES
        for line in blocks(page.read_text())
        if begins.match(line)
    ]


def words_of(line: str) -> list[str]:
    """Return the words after `cleanroom`, up to what the shell takes for itself."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="()<>|&;")
    lexer.whitespace_split = True
    words = list(lexer)
    begin = next(index for index, word in enumerate(words) if word.split("/")[-1] == "cleanroom")
    ours = words[begin + 1 :]
    end = next((index for index, word in enumerate(ours) if word[0] in "()<>|&;"), len(ours))
    return ours[:end]


def read(words: list[str]) -> None:
    """Read a command line as `main` does. Raises UsageError."""
    alias: tuple[str, ...] = ALIASES.get(words[0], (words[0],))
    name, *rest = [*alias, *words[1:]]
    parsers = {parser.prog.removeprefix("cleanroom "): parser for parser in load(name).parsers()}
    if rest and f"{name} {rest[0]}" in parsers:
        parsers[f"{name} {rest[0]}"].read(rest[1:])
    elif name == "exec":
        flags, command = parsers[name].split(rest)
        parsers[name].read(flags)
        assert command, "it runs nothing"
    else:
        parsers[name].read(rest)


@pytest.mark.parametrize(("where", "line"), command_lines() + EXAMPLES)
def test_a_command_of_the_documents_can_be_typed(where: str, line: str) -> None:
    read(words_of(line))


def test_the_documents_are_looked_at() -> None:
    pages = [page for page, _ in command_lines()]
    assert pages.count("README.md") > 20
    assert {"executions.md", "mise.md", "audit.md", "workspace.md"} <= set(pages)


def test_the_tour_is_two_screens() -> None:
    tour = README.partition("## A tour\n")[2].partition("\n**Limits")[0]
    assert tour
    assert len(tour.splitlines()) <= SCREENS


def test_readme_names_what_is_refused_and_nothing_that_runs() -> None:
    sentence = re.search(r"refused at run time until it is enforced(.*?)\n\n", README, re.DOTALL)
    said = sentence[1] if sentence else ""
    for capability, words in LATER.items():
        if capability in NOT_ENFORCED_YET:
            assert words in said, f"README does not say that {words} is refused"
        else:
            assert words not in said, f"README says that {words} is refused: it runs"
