from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.errors import Fault
from cleanroom.policy.nodes import Node, Scalar
from cleanroom.policy.problems import Problems, TooManyProblemsError
from cleanroom.policy.yaml_reader import MAX_BYTES, c_parser, read_yaml
from tests.policy.reading import BUDGET_S, EXAMPLES, seconds_of


def said_of(text: str) -> list[str]:
    problems = Problems("c")
    read_yaml(text, problems)
    return [f"{each.line}:{each.column} {each.message}" for each in problems.found]


def node_of(text: str) -> Node | None:
    problems = Problems("c")
    node = read_yaml(text, problems)
    assert not problems.found
    return node


def test_scalars_stay_text_whatever_yaml_1_1_would_make_of_them() -> None:
    for text in ("no", "22:22", "0177", "null", "1.10", "2026-01-01", "0x10"):
        node = node_of(text)
        assert isinstance(node, Scalar)
        assert (node.text, node.plain) == (text, True)


def test_quotes_are_remembered() -> None:
    for text in ("'443'", '"443"', "|-\n  443"):
        node = node_of(text)
        assert isinstance(node, Scalar)
        assert (node.text, node.plain) == ("443", False)


def test_an_empty_text_has_no_node_and_no_problem() -> None:
    assert node_of("") is None
    assert node_of("# only a comment\n") is None


def test_syntax_errors_have_their_place() -> None:
    assert said_of("a: b: c\n") == [
        "1:5 cannot read it as YAML: mapping values are not allowed in this context"
    ]
    assert said_of("a: [b\n")[0].startswith("2:1 cannot read it as YAML")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\tb: 1", "indent with blanks, not with tabs"),
        ("a: [", ""),
        ("a: 'b\tc", ""),
    ],
)
def test_a_tab_at_the_begin_of_a_line_is_told_what_to_do(text: str, hint: str) -> None:
    problems = Problems("p")
    assert read_yaml(text, problems) is None
    assert [each.hint for each in problems.found] == [hint]


def test_every_invisible_character_is_named_with_its_place() -> None:
    text = "\ufeffversion: 1\r\nb: \x00\nc: a\u202eb\nd: \x85 \ud800 \u2028\re\n"
    assert [line.split(":")[0] + line.split("character")[1] for line in said_of(text)] == [
        "1 U+FEFF: it is invisible or no text",
        "2 U+0000: it is invisible or no text",
        "3 U+202E: it is invisible or no text",
        "4 U+0085: it is invisible or no text",
        "4 U+D800: it is invisible or no text",
        "4 U+2028: it is invisible or no text",
        "4 U+000D: it is invisible or no text",
    ]


def test_columns_count_characters() -> None:
    assert said_of("é: [ü, \x7f]\n")[0].startswith("1:8 ")


def test_a_text_over_64_kib_is_not_read() -> None:
    wanted = ["1:1 cannot read it: it is longer than 64 KiB"]
    assert said_of("#" * (MAX_BYTES + 1)) == wanted
    assert said_of("#" + "é" * (MAX_BYTES // 2)) == wanted
    assert said_of("#" * MAX_BYTES) == []


def test_pyyaml_without_libyaml_is_refused_clearly() -> None:
    with pytest.raises(Fault, match=r"cannot read YAML: .* without its C parser"):
        c_parser(ModuleType("yaml"))


def read_or_refuse(text: str) -> None:
    problems = Problems("c")
    try:
        read_yaml(text, problems)
    except TooManyProblemsError:
        assert problems.found


HOSTILE = {
    "alias bomb": "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(2500)),
    "self anchor": "&a [*a]",
    "deep flow": "[" * 60_000,
    "deep blocks": "- " * 30_000,
    "deep keys": "? " * 30_000,
    "wide": "[" + "a," * 32_000 + "]",
    "many empty": "[" + "[]," * 21_000 + "]",
    "duplicates": "a: b\n" * 10_000,
    "unknown keys": "".join(f"key{n}: b\n" for n in range(5500)),
    "big scalar": "a: " + "x" * 60_000,
    "big quoted": 'a: "' + "\\u0041" * 10_000 + '"',
    "long key": "x" * 60_000 + ": a",
    "tags": "!!a " * 15_000,
    "comments": "#\n" * 32_000,
    "documents": "---\n" * 16_000,
    "directives": "%TAG ! !\n" * 6000,
    "controls": "\x00" * 60_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_ends_in_milliseconds(name: str) -> None:
    assert len(HOSTILE[name].encode()) <= MAX_BYTES
    assert seconds_of(lambda: read_or_refuse(HOSTILE[name])) < BUDGET_S


@given(st.text(max_size=300) | st.text(alphabet="abc:-?,[]{}#&*!|>'\"%@` \n\t.~0<", max_size=200))
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    read_or_refuse(text)
