"""Help fits one screen, and nothing is left out of it."""

import pytest

from cleanroom.cli import help_page
from cleanroom.cli.help_page import Page, command_help, lay_out
from cleanroom.cli.main import COMMANDS, load
from cleanroom.cli.parser import Parser
from tests.cli.conftest import CommandLine

PARSERS = [parser for name in COMMANDS for parser in load(name).parsers()]


def words_of(text: str) -> str:
    """Return a text without its line breaks."""
    return " ".join(text.split())


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.prog)
def test_help_is_one_screen_with_every_flag_and_one_example(parser: Parser) -> None:
    text = command_help(parser)
    lines = text.splitlines()
    assert len(lines) <= help_page.LINES
    assert max(map(len, lines)) <= help_page.COLUMNS
    assert lines[-1] == f"Example: {parser.example}"
    assert parser.prog in parser.example
    for flag in parser.flags:
        assert flag.usage in words_of(text)
    whole = words_of(command_help(parser, ["--help", "--all"]))
    for name, meaning in [*parser.operands, *((each.usage, each.text) for each in parser.flags)]:
        assert f"{name} {words_of(meaning)}" in whole


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.prog)
def test_a_narrow_terminal_shows_everything_and_cuts_nothing(parser: Parser) -> None:
    text = command_help(parser, columns=40)
    for flag in parser.flags:
        assert f"{flag.usage} {flag.text}" in words_of(text)
    longest = max(text.splitlines(), key=len)
    assert len(longest) <= 40 or " " not in longest.strip()  # a word is never broken


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_lists_of_commands_are_one_screen(cli: CommandLine, words: list[str]) -> None:
    lines = cli(*words, "--help").out.splitlines()
    assert len(lines) <= help_page.LINES
    assert max(map(len, lines)) <= help_page.COLUMNS
    assert lines[-1].startswith("Example: ")


def test_rows_that_do_not_fit_are_named_with_the_way_to_their_meaning() -> None:
    page = Page(["Usage"], [(f"--flag-{number}", "does it") for number in range(40)], [], "more")
    lines = lay_out(page, 80)
    assert len(lines) == help_page.LINES
    assert "  --flag-0   does it" in lines
    assert "  Also (more): --flag-" in "\n".join(lines)
    assert lines[-1].endswith("--flag-39")
    assert len(lay_out(page, 80, lines=0)) == 41


def test_a_page_without_rows_is_its_head_and_foot() -> None:
    assert lay_out(Page(["a"], [], ["b"], "more"), 80) == ["a", "b"]


def test_rare_flags_come_last_and_help_asks_for_all(cli: CommandLine) -> None:
    short, whole = cli("exec", "--help").out, cli("exec", "--all", "-h").out
    assert "--result-file FILE  write" not in words_of(short)
    assert "--result-file FILE write the result" in words_of(whole)
    assert "Also (cleanroom exec --help --all): " in short
    assert cli("exec", "--all", "true").status == 2
