import pytest

from cleanroom.policy.nodes import Mapping, Scalar, Sequence
from cleanroom.policy.problems import Problems
from cleanroom.policy.yaml_reader import MAX_DEPTH, read_yaml


def said_of(text: str) -> list[str]:
    problems = Problems("c")
    read_yaml(text, problems)
    return [f"{each.line}:{each.column} {each.message}" for each in problems.found]


def test_a_tree_keeps_order_places_and_style() -> None:
    root = read_yaml("b: 1\na:\n  - [x]\n", Problems("c"))
    assert isinstance(root, Mapping)
    assert [key.text for key, _ in root.entries] == ["b", "a"]
    items = root.entries[1][1]
    assert isinstance(items, Sequence)
    assert not items.flow
    inner = items.items[0]
    assert isinstance(inner, Sequence)
    assert inner.flow
    leaf = inner.items[0]
    assert isinstance(leaf, Scalar)
    assert (leaf.place.line, leaf.place.column, leaf.start, leaf.end) == (3, 6, 13, 14)


REFUSED = {
    "&x a": "1:1 cannot use an anchor ('&name')",
    "a: &x [b]": "1:4 cannot use an anchor ('&name')",
    "a: *x": "1:4 cannot use an alias ('*name')",
    "a: !!str b": "1:4 cannot use a tag ('!…')",
    "a: !x {}": "1:4 cannot use a tag ('!…')",
    "<<: {a: b}": "1:1 cannot use a merge key ('<<')",
    "a: 1\nb: 2\na: 3": "3:1 cannot repeat key 'a': line 1 has it already",
    "'a': 1\na: 3": "2:1 cannot repeat key 'a': line 1 has it already",
    "[a]: b": "1:1 cannot use a list or mapping as a key",
    "? {a: b}\n: c": "1:3 cannot use a list or mapping as a key",
    "a: b\n---\nc: d": "2:1 cannot read a second document",
    "%YAML 1.1\n---\na: b": "1:1 cannot use a YAML directive ('%…')",
    "%TAG ! tag:x,2000:\n---\na: b": "1:1 cannot use a YAML directive ('%…')",
    "[" * (MAX_DEPTH + 1): f"1:{MAX_DEPTH + 1} cannot nest deeper than {MAX_DEPTH} levels",
    "[" + "a," * 12_001 + "]": "1:24002 cannot read it: it has too many values",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_only_some_readers_understand_is_refused(text: str) -> None:
    assert said_of(text) == [REFUSED[text]]


def test_a_quoted_merge_key_is_only_a_key() -> None:
    assert said_of("'<<': a") == []


def test_32_levels_are_read() -> None:
    assert said_of("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []


def test_all_problems_are_found_in_one_pass() -> None:
    assert len(said_of("a: &x 1\na: *x\nb: !t 2\n<<: 3\n")) == 5
