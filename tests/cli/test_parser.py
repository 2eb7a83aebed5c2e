"""Words into flags, flags into help."""

import pytest

from cleanroom.cli.parser import Parser, moment, sandbox_name, seconds, variable_name
from cleanroom.errors import UsageError


@pytest.fixture
def parser() -> Parser:
    made = Parser("thing", "Do a thing.", "cleanroom thing x")
    made.switch("-v --verbose", "say more")
    made.value("-n --name", "NAME", "a name")
    made.values("-e --env", "K[=V]", "a variable")
    made.operand("HOST:PORT", "a target", "?")
    return made


@pytest.mark.parametrize(
    ("words", "flags", "rest"),
    [
        (["-v", "npm", "-v"], ["-v"], ["npm", "-v"]),
        (["--name", "x", "npm"], ["--name", "x"], ["npm"]),
        (["--name=x", "npm"], ["--name=x"], ["npm"]),
        (["-e", "A=1", "-eB", "npm"], ["-e", "A=1", "-eB"], ["npm"]),
        (["-ve", "A", "npm"], ["-ve", "A"], ["npm"]),
        (["--", "-v"], [], ["-v"]),
        (["-v", "--", "--"], ["-v"], ["--"]),
        (["-", "x"], [], ["-", "x"]),
        (["-n", "--"], ["-n", "--"], []),
        ([], [], []),
    ],
)
def test_flags_end_at_two_dashes_or_the_first_word(
    parser: Parser, words: list[str], flags: list[str], rest: list[str]
) -> None:
    assert parser.split(words) == (flags, rest)


def test_values_are_read(parser: Parser) -> None:
    options = parser.read(["-v", "-n", "x", "-e", "A", "-e", "B=1", "h:1"])
    assert (options.verbose, options.name, options.env) == (True, "x", ["A", "B=1"])
    assert options.host_port == "h:1"


def test_flags_may_stand_between_operands_that_are_optional() -> None:
    made = Parser("logs", "Show.", "cleanroom logs")
    made.operand("SANDBOX", "its id", "?")
    made.operand("EXECUTION", "its id", "?")
    made.switch("-f --follow", "go on")
    for words in (["dev", "-f", "exe"], ["-f", "dev", "exe"], ["dev", "exe", "-f"]):
        options = made.read(words)
        assert (options.sandbox, options.execution, options.follow) == ("dev", "exe", True)
    assert made.read(["-f"]).sandbox is None


@pytest.mark.parametrize(
    ("words", "name", "env", "target"),
    [
        (["--name=x", "--env=A=1", "h"], "x", ["A=1"], "h"),
        (["-nx", "-eA=1", "-e=B=2"], "x", ["A=1", "B=2"], None),
        (["-vn", "x", "-veA"], "x", ["A"], None),
        (["-n", "-", "-"], "-", [], "-"),
        (["-n", "-5", "-6"], "-5", [], "-6"),
        (["--name=", "--name=--env"], "--env", [], None),
        (["-n", "x", "-n", "y", "--", "-z"], "y", [], "-z"),
        ([], None, [], None),
    ],
)
def test_the_ways_to_write_a_value(
    parser: Parser, words: list[str], name: str | None, env: list[str], target: str | None
) -> None:
    options = parser.read(words)
    assert (options.name, options.env, options.host_port) == (name, env, target)
    assert parser.read([]).env == []  # nothing of one line is left for the next


def test_a_flag_can_go_by_another_word_and_a_short_one_by_its_letter() -> None:
    made = Parser("thing", "Do a thing.", "cleanroom thing")
    made.value("--sandbox", "NAME", "which", dest="named")
    made.value("-C", "DIR", "where", "here")
    made.switch("-w --with-it", "more")
    options = made.read(["--sandbox", "dev", "-w"])
    assert (options.named, options.C, options.with_it) == ("dev", "here", True)


def test_operands_take_their_words_in_order() -> None:
    made = Parser("thing", "Do a thing.", "cleanroom thing")
    made.switch("-f --follow", "go on")
    made.operand("FROM", "one")
    made.operand("TO", "two")
    made.operand("PATHS", "more", "*")
    options = made.read(["a", "-f", "b", "c", "d"])
    assert (getattr(options, "from"), options.to, options.paths) == ("a", "b", ["c", "d"])
    assert made.read(["a", "b"]).paths == []
    with pytest.raises(UsageError, match="missing FROM, TO"):
        made.read(["-f"])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--verb"], "unrecognized arguments: --verb"),
        (["-x"], "unrecognized arguments: -x"),
        (["-vx"], "unrecognized arguments: -x"),
        (["-v5"], "unrecognized arguments: -5"),
        (["a", "b", "c"], "unrecognized arguments: b c"),
        (["-n"], "-n needs a value: NAME"),
        (["--name", "-v"], "--name needs a value: NAME"),
        (["-n", "--"], "-n needs a value: NAME"),
        (["--verbose=1"], "--verbose takes no value"),
        (["-v=1"], "-v takes no value"),
    ],
)
def test_a_wrong_line_says_why_and_names_the_help(
    parser: Parser, words: list[str], why: str
) -> None:
    with pytest.raises(UsageError, match=f"cannot read the command line: {why}$") as caught:
        parser.read(words)
    assert caught.value.hint == "cleanroom thing --help"


def test_durations_have_a_unit() -> None:
    assert [seconds(text) for text in ("90s", "10m", "1h")] == [90.0, 600.0, 3600.0]
    assert seconds("8760h") == 31_536_000
    for text, most_h in (("8761h", 8760), ("31536001s", 8760), ("99999h", 8760), ("721h", 720)):
        with pytest.raises(UsageError, match=f"it is more than {most_h}h"):
            seconds(text, most_h)


def test_a_sandbox_has_a_name_or_an_id() -> None:
    for text in ("dev", "a-1", "0", "sbx_0123456789abcdef0123", None):
        assert sandbox_name(text) == text
    for text in ("", "a b", "Dev", "-a", "a" * 64, "sbx_1", "a\n"):
        with pytest.raises(UsageError, match="cannot name a sandbox"):
            sandbox_name(text)


def test_a_moment_is_a_time_or_so_long_ago() -> None:
    assert [moment(text) for text in ("10m", "2026-01-02", "", None)] == [
        "600s", "2026-01-02", "", None
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "s", "10", "-1s", "1.5h", "0s", "1d", "４s", "1 m"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="as a duration"):
        seconds(text)


def test_a_variable_has_a_name() -> None:
    assert variable_name("A_1") == "A_1"
    for text in ("", "1A", "A-B", "A B", "A\n"):
        with pytest.raises(UsageError, match="a variable named"):
            variable_name(text)
