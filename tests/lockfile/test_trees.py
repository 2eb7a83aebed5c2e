import pytest

from cleanroom.lockfile import trees
from cleanroom.lockfile.model import LockfileError


def refused(action: object, *arguments: object) -> str:
    assert callable(action)
    with pytest.raises(LockfileError) as error:
        action(*arguments)
    return f"{error.value.line}:{error.value.column} {error.value.message}"


def test_json_errors_have_a_place() -> None:
    assert refused(trees.read_json, '{\n "a": }').startswith("2:7 cannot read it as JSON")
    assert refused(trees.read_json, "[]") == "1:1 cannot read it: the file is not a table"
    assert "too deep" in refused(trees.read_json, "[" * 200_000)
    assert "too long" in refused(trees.read_json, "1" * 5000)


def test_comments_and_trailing_commas_are_no_part_of_the_values() -> None:
    text = '{ // c "x"\n "a": "//no, }", /* , } \n */ "b": ["\\",]", 1, ], }'
    assert trees.read_jsonc(text) == {"a": "//no, }", "b": ['",]', 1]}


def test_lines_stay_where_they_are_when_comments_go() -> None:
    assert refused(trees.read_jsonc, "/*\n\n*/ x").startswith("3:")


@pytest.mark.parametrize("text", ['"', "/*", '"\\', "//", ",", '{"a": "\\'])
def test_what_never_ends_is_an_error(text: str) -> None:
    assert "cannot read it as JSON" in refused(trees.read_jsonc, text)


def test_toml_errors_have_a_place() -> None:
    assert refused(trees.read_toml, "a = 1\nb = ]").startswith("2:5 cannot read it as TOML")
    assert refused(trees.read_toml, 'a = 1\nb = "').startswith("2:")
    assert refused(trees.read_toml, "a = 1\na = 2") == "2:1 cannot read it as TOML: duplicate key"
    assert (
        refused(trees.read_toml, "a = 1\nb = '\ud800'")
        == "2:1 cannot read it as TOML: it is no text"
    )
    assert "overflowed" in refused(trees.read_toml, "a = " + "1" * 5000)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 1_000_000,
        "a = " + "[" * 1_000_000 + "]" * 1_000_000,
        "a = " + "{a = " * 1_000_000,
        ".".join("a" * 1_000_000) + " = 1",
        f"[{'.'.join('a' * 1_000_000)}]",
        f"[[{'.'.join('a' * 1_000_000)}]]",
    ],
    ids=range(6),
)
def test_toml_of_a_million_levels_is_an_error(text: str) -> None:
    assert "recur" in refused(trees.read_toml, text)


def test_values_are_what_they_should_be_or_an_error_at_the_line() -> None:
    parent = {"a": 1, "b": ["x"], "c": [1], "d": [{}], "e": {}, "f": "w"}
    assert refused(trees.part, parent, "a", 4) == "4:1 cannot read it: 'a' is not a table"
    assert refused(trees.tables, parent, "a", 4) == "4:1 cannot read it: 'a' is not a list"
    assert "an entry of 'b' is not a table" in refused(trees.tables, parent, "b", 4)
    assert refused(trees.word, parent, "a", 4) == "4:1 cannot read it: 'a' is not a text"
    assert "'c' is not a list of texts" in refused(trees.words, parent, "c", 4)
    assert "'a' is not a list of texts" in refused(trees.words, parent, "a", 4)
    assert trees.words(parent, "b") == ["x"]
    assert trees.tables(parent, "d") == [{}]
    assert (trees.part(parent, "e"), trees.word(parent, "f")) == ({}, "w")
    assert (trees.words(parent, "z"), trees.tables(parent, "z")) == ([], [])
    assert (trees.part(parent, "z"), trees.word(parent, "z")) == ({}, "")


def test_a_format_number_is_text_however_it_was_written() -> None:
    written: list[object] = [3, "9.0", 5.3, True, None, [], "9" * 99]
    assert [trees.version_of(value) for value in written] == ["3", "9.0", "5.3", "?", "?", "?", "?"]


def test_lines_of_keys_are_found_in_order_where_the_value_opens() -> None:
    text = '{"x":\n {"b": "1"},\n"a": "b",\n"b" : {},\n"a":{}, "b": []}'
    lines = trees.KeyLines(text, "{")
    assert [lines.of("b"), lines.of("a"), lines.of("zz"), lines.of("b")] == [4, 5, 5, 5]


def test_looking_for_keys_that_are_not_there_ends() -> None:
    lines = trees.KeyLines('{\n"a": {}}', "{")
    assert [lines.of(f"x{number}") for number in range(40)] == [1] * 40
    assert lines.of("a") == 1  # no longer looked for


def test_lines_of_tables_or_one_if_they_cannot_be_told() -> None:
    text = "\n[[p]]\n\n [[ p ]]\n[[q]]"
    assert list(trees.array_lines(text, "p", 2)) == [2, 4]
    assert list(trees.array_lines(text, "p", 3)) == [1, 1, 1]
