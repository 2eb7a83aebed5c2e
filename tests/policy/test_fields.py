from dataclasses import dataclass

from cleanroom.policy.fields import Fields, Key, ListOf, Section, Spot
from cleanroom.policy.problems import Problems
from cleanroom.policy.values import count, text
from cleanroom.policy.yaml_reader import read_yaml


@dataclass(frozen=True)
class Box:
    name: str
    sizes: tuple[int, ...]
    written: bool


NAME = Key("name", text(), "", "Its name.", required=True)
SIZES = Key("sizes", ListOf(count(1, 9), 2), (7,), "Its sizes.", shown="[7]", later="not used")
AT_LEAST = Key("some", ListOf(count(1, 9), 2, least=1), (), "At least one.")


def build(fields: Fields) -> Box:
    fields.read(AT_LEAST)
    if fields.read(NAME) == "bad":
        fields.wrong(NAME, "cannot call it bad", "another name")
    return Box(fields.read(NAME), fields.read(SIZES), fields.has(SIZES))


BOX = Section((NAME, SIZES, AT_LEAST), build, elsewhere={"label": "write 'name'"})


def read(written: str, name: str = "box") -> tuple[Box | None, list[str]]:
    problems = Problems("c")
    node = read_yaml(written, problems)
    assert node is not None
    box = BOX.read(node, Spot(problems, name))
    return box, [f"{each.line}:{each.column} {each.message}" for each in problems.found]


def test_a_section_joins_its_values() -> None:
    assert read("{name: x, sizes: [1, 2]}") == (Box("x", (1, 2), written=True), [])


def test_an_absent_key_has_its_default() -> None:
    assert read("name: x") == (Box("x", (7,), written=False), [])


def test_an_empty_list_is_a_list() -> None:
    assert read("name: x\nsizes:") == (Box("x", (), written=True), [])


def test_an_unknown_key_gets_the_nearest_one_or_its_own_hint() -> None:
    problems = Problems("c")
    node = read_yaml("name: x\nsize: [1]\nlabel: y", problems)
    assert node is not None
    BOX.read(node, Spot(problems, ""))
    assert [each.message for each in problems.found] == [
        "cannot use key 'size' at the top level: it is unknown",
        "cannot use key 'label' at the top level: it is unknown",
    ]
    assert [each.hint for each in problems.found] == ["did you mean 'sizes'?", "write 'name'"]


def test_a_missing_required_key_is_said_at_the_section() -> None:
    assert read("\n  sizes: [1]")[1] == ["2:3 cannot do without box.name"]


def test_a_problem_that_joins_keys_stands_at_the_value() -> None:
    assert read("name: bad")[1] == ["1:7 cannot call it bad"]
    problems = Problems("c")
    node = read_yaml("sizes: [1]", problems)
    assert node is not None
    fields = Fields(node.place, {}, Spot(problems, "box"))
    fields.wrong(NAME, "cannot be without")
    assert (problems.found[0].line, problems.found[0].column) == (1, 1)


def test_lists_have_bounds_and_are_lists() -> None:
    assert read("{name: x, sizes: [1, 2, 3]}")[1] == [
        "1:18 cannot use 3 entries for box.sizes: 0 to 2 entries"
    ]
    assert read("{name: x, sizes: 1}")[1] == [
        "1:18 cannot use one value for box.sizes: it is a list"
    ]
    assert read("name: x\nsome:")[1] == ["2:6 cannot use one value for box.some: it is a list"]
    assert read("{name: x, some: []}")[1] == [
        "1:17 cannot use 0 entries for box.some: 1 to 2 entries"
    ]


def test_every_wrong_item_of_a_list_is_said() -> None:
    assert len(read("{name: x, sizes: [0, 10]}")[1]) == 2


def test_a_section_is_a_mapping() -> None:
    assert read("[a]")[1] == ["1:1 cannot read box: it is a mapping of keys"]
    assert read("a", name="")[1] == ["1:1 cannot read the file: it is a mapping of keys"]


def test_schema_and_words_come_from_the_same_keys() -> None:
    assert BOX.json_schema() == {
        "type": ["object", "null"],
        "additionalProperties": False,
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "maxLength": 256, "description": "Its name."},
            "sizes": {
                "type": ["array", "null"],
                "items": {"type": "integer", "minimum": 1, "maximum": 9},
                "maxItems": 2,
                "description": "Its sizes. Not enforced yet: not used.",
            },
            "some": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 9},
                "maxItems": 2,
                "minItems": 1,
                "description": "At least one.",
            },
        },
    }
    assert SIZES.value.words == "list of: a whole number from 1 to 9"
