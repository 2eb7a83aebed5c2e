"""Subcommands: the one that is named, its help, the list of all."""

import argparse

import pytest

from cleanroom.cli.group import Sub, run_group, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell
from cleanroom.errors import UsageError


def parser() -> Parser:
    made = Parser("g one", "Do one.", "cleanroom g one")
    made.switch("-q --quiet", "say nothing")
    return made


def seven(options: argparse.Namespace, shell: Shell) -> int:
    return 7 if shell.screen.quiet is options.quiet else 0


def test_the_named_one_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_group("g", {"one": Sub(parser, seven)}, ["one", "-q"], Shell({})) == 7
    assert run_one(Sub(parser, seven), [], Shell({})) == 7


def test_help_lists_them_and_no_word_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    for words, status in (([], 2), (["-h"], 0)):
        assert run_group("g", {"one": Sub(parser, seven)}, words, Shell({})) == status
        assert "one  Do one." in capsys.readouterr().out


def test_an_unknown_one_names_the_help() -> None:
    with pytest.raises(UsageError, match="cannot find 'two'"):
        run_group("g", {"one": Sub(parser, seven)}, ["two"], Shell({}))
