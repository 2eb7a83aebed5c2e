import re

import jsonschema  # type: ignore[import-untyped]
import pytest

from cleanroom.policy.fields import Leaf, Spot, Value
from cleanroom.policy.model import RuleKind
from cleanroom.policy.problems import Problems
from cleanroom.policy.values import (
    choice,
    count,
    decimal,
    duration,
    flag,
    host,
    host_pattern,
    hosts_or_addresses,
    port,
    size,
    text,
    text_map,
)
from cleanroom.policy.yaml_reader import read_yaml

PLAIN = text()
NAME = text(r"[a-z]+", "a lower-case word")


def read(value: Value[object], written: str) -> object:
    """Return what is read, or the messages if it is refused."""
    problems = Problems("c")
    node = read_yaml(f"k: {written}", problems)
    spot = Spot(problems, "k")
    result = None if node is None else value.read(node.entries[0][1], spot)  # type: ignore[union-attr]
    return [each.message for each in problems.found] or result


GOOD: list[tuple[Leaf[object], str, object]] = [
    (PLAIN, "platform-security", "platform-security"),
    (PLAIN, "2026-01-01", "2026-01-01"),
    (PLAIN, "'no'", "no"),
    (PLAIN, '"1.10"', "1.10"),
    (PLAIN, "Zoë", "Zoë"),
    (NAME, "abc", "abc"),
    (choice("a", "b"), "b", "b"),
    (flag(), "true", True),
    (flag(), "false", False),
    (count(1, 9), "9", 9),
    (count(0, 9), "0", 0),
    (decimal(0.05, 8), "1.5", 1.5),
    (decimal(0.05, 8), "2", 2.0),
    (size(1, 1 << 40), "512MiB", 512 << 20),
    (size(1, 1 << 40), "2GiB", 2 << 30),
    (duration(1, 10**9), "90s", 90),
    (duration(1, 10**9), "15m", 900),
    (duration(1, 10**9), "1h", 3600),
    (duration(1, 10**9), "7d", 604_800),
    (host(), "API.example.", "api.example"),
    (hosts_or_addresses(), "A.example", "a.example"),
    (hosts_or_addresses(), "'*.A.example'", "*.a.example"),
    (hosts_or_addresses(), "10.0.0.0/8", "10.0.0.0/8"),
    (hosts_or_addresses(), "'FD00::1'", "fd00::1"),
    (host_pattern("allow"), "'*.a.example'", (RuleKind.WILDCARD, "a.example")),
    (port(), "443", 443),
]


@pytest.mark.parametrize(("value", "written", "wanted"), GOOD)
def test_a_value_is_read_by_its_type(value: Leaf[object], written: str, wanted: object) -> None:
    assert read(value, written) == wanted


@pytest.mark.parametrize("said", ["512KiB", "64MiB", "1025MiB", "2GiB", "90s", "15m", "36h", "7d"])
def test_a_number_is_written_as_it_was_said(said: str) -> None:
    kind = size(1, 1 << 40) if "B" in said else duration(1, 10**9)
    assert kind.written(read(kind, said)) == said
    assert (kind.written("ask"), port().written(443)) == ("ask", 443)
    assert duration(0, 1).written(0) == "0s"


BAD: list[tuple[Leaf[object], str, str]] = [
    (PLAIN, "no", "readers of YAML disagree"),
    (PLAIN, "NULL", "readers of YAML disagree"),
    (PLAIN, "1.10", "readers of YAML disagree"),
    (PLAIN, "22:22", "readers of YAML disagree"),
    (PLAIN, "0177", "readers of YAML disagree"),
    (PLAIN, "0x1F", "readers of YAML disagree"),
    (PLAIN, "1e3", "readers of YAML disagree"),
    (PLAIN, "-.inf", "readers of YAML disagree"),
    (PLAIN, ".NaN", "readers of YAML disagree"),
    (PLAIN, "", "nothing is written"),
    (PLAIN, '"a\\nb"', "one line of at most 256"),
    (PLAIN, "x" * 257, "one line of at most 256"),
    (PLAIN, "[a]", "cannot use a list for k: it is text"),
    (PLAIN, "{a: b}", "cannot use a mapping for k: it is text"),
    (NAME, "aBc", "it is a lower-case word"),
    (NAME, "'abc\\n'", "it is a lower-case word"),
    (choice("a", "b"), "c", "it is a or b"),
    (choice("deny"), "allow", "it is deny"),
    (flag(), "yes", "it is true or false"),
    (flag(), "'true'", "it is true or false"),
    (flag(), "True", "it is true or false"),
    (count(1, 9), "10", "a whole number from 1 to 9"),
    (count(1, 9), "0", "a whole number from 1 to 9"),
    (count(1, 9), "'5'", "a whole number from 1 to 9"),
    (count(1, 9), "5.0", "a whole number from 1 to 9"),
    (count(1, 9), "05", "a whole number from 1 to 9"),
    (count(1, 9), "+5", "a whole number from 1 to 9"),
    (count(1, 9), "５", "a whole number from 1 to 9"),
    (count(1, 9), "9" * 5000, "a whole number from 1 to 9"),
    (count(1, 1), "1.0", "it is the number 1"),
    (decimal(0.5, 8), "0.1", "a number from 0.5 to 8"),
    (decimal(0.5, 8), "1e1", "a number from 0.5 to 8"),
    (decimal(0.5, 8), ".nan", "a number from 0.5 to 8"),
    (decimal(0.5, 8), "'1'", "a number from 0.5 to 8"),
    (size(1, 1 << 30), "2GB", "a size like"),
    (size(1, 1 << 30), "1024", "a size like"),
    (size(1, 1 << 30), "2GiB", "out of range"),
    (duration(1, 60), "10", "a duration like"),
    (duration(1, 60), "2m", "out of range"),
    (host(), "no", "true, false or nothing"),
    (host(), "~", "true, false or nothing"),
    (host(), "", "nothing is written"),
    (host(), "'*.a.example'", "letters, digits"),
    (hosts_or_addresses(), "'*.com'", "it would allow"),
    (hosts_or_addresses(), "0.0.0.0/0", "may not be wider"),
    (host_pattern("allow"), "'*'", "cannot allow '*': it would allow everything"),
    (host_pattern("deny"), "'*'", "cannot deny '*'"),
    (port(), "0443", "it is no port"),
    (port(), "'443'", "it is text"),
]


@pytest.mark.parametrize(("value", "written", "message"), BAD)
def test_a_value_of_another_type_is_refused(
    value: Leaf[object], written: str, message: str
) -> None:
    said = read(value, written)
    assert isinstance(said, list)
    assert len(said) == 1
    assert message in said[0]


@pytest.mark.parametrize(("value", "written", "wanted"), GOOD)
def test_the_schema_for_editors_takes_what_the_parser_takes(
    value: Leaf[object], written: str, wanted: object
) -> None:
    plain = written.strip("'\"")
    shown = wanted if isinstance(wanted, bool | int | float) and plain[-1:].isdigit() else plain
    jsonschema.validate(wanted if isinstance(wanted, bool) else shown, value.json_schema())


def test_a_text_map_keeps_order_and_says_which_entry_is_wrong() -> None:
    labels = text_map()
    assert read(labels, "{b: x, a: z}") == (("b", "x"), ("a", "z"))
    assert read(labels, "") == ()
    assert read(labels, "[a]") == ["cannot use this for k: it is a mapping of text to text"]
    assert read(labels, "{a: [b], 'é': c, d: 1}") == [
        "cannot use a list for k.'a': it is text",
        "cannot use 'é' for k: it is a short name",
        "cannot use '1' for k.'d': readers of YAML disagree whether it is text",
    ]
    many = ", ".join(f"a{n}: b" for n in range(65))
    assert read(labels, f"{{{many}}}") == ["cannot use more than 64 entries for k"]


def test_a_text_map_describes_itself_to_editors() -> None:
    schema = text_map().json_schema()
    jsonschema.validate({"team": "x"}, schema)
    with pytest.raises(jsonschema.ValidationError, match=re.escape("1.1")):
        jsonschema.validate({"team": 1.1}, schema)
