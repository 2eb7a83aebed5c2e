import pytest

from cleanroom.lockfile import yaml_tree
from cleanroom.lockfile.model import Limits, LockfileError
from cleanroom.lockfile.yaml_tree import read_documents


def refused(text: str) -> str:
    with pytest.raises(LockfileError) as error:
        read_documents(text)
    return f"{error.value.line}:{error.value.column} {error.value.message}"


def test_scalars_are_text_and_keys_know_their_line() -> None:
    [document] = read_documents("a: 5.3\nb:\n- no\n- {c: 'x'}\n")
    assert document == {"a": "5.3", "b": ["no", {"c": "x"}]}
    assert document.lines == {"a": 1, "b": 2}


def test_several_documents_and_empty_ones() -> None:
    assert read_documents("---\na: 1\n---\n---\nb: 2\n") == [{"a": "1"}, {"b": "2"}]
    assert read_documents("") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x 1\nb: *x", "1:4 cannot read it: it has an anchor or a tag"),
        ("a: 1\nb: *x", "2:4 cannot read it: it has an alias"),
        ("a: !!int 1", "1:4 cannot read it: it has an anchor or a tag"),
        ("a: 1\na: 2", "2:1 cannot read it: it has a key twice, or one that merges"),
        ("<<: {}", "1:1 cannot read it: it has a key twice, or one that merges"),
        ("[a]: 1", "1:1 cannot read it: it has a key that is no text"),
        ("{a: 1}: 1", "1:1 cannot read it: it has a key that is no text"),
        ("a", "1:1 cannot read it: it is no mapping of keys"),
        ("a: [", "2:1 cannot read it as YAML"),
        ("a: \ud800", "1:1 cannot read it as YAML: it has characters that are no text"),
        ("a: \x01", "1:1 cannot read it as YAML: it has characters that are no text"),
        ("[" * 100, "1:66 cannot read it: it has too many or too deep values"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: str, said: str) -> None:
    assert refused(text).startswith(said)


def test_a_repeated_key_may_be_allowed_and_the_last_one_counts() -> None:
    assert read_documents("a: 1\na: 2", repeats=True) == [{"a": "2"}]


def test_values_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_tree, "LIMITS", Limits(nodes=4))
    assert refused("a: [1, 2, 3]").startswith("1:8")
