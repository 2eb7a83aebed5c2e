"""Fields of an answer: a wrong type is a fault, an absent one has its default."""

from collections.abc import Callable

import pytest

from cleanroom.client.reply import Reply
from cleanroom.errors import Fault

RUN = Reply.of(
    {
        "id": "run_1",
        "exit_code": 3,
        "keep": True,
        "none": None,
        "failure": {"code": "timed_out"},
        "denied": [{"port": 443}],
        "notes": ["one"],
    }
)


def test_fields_are_read_by_their_type() -> None:
    assert RUN.text("id") == "run_1"
    assert RUN.number("exit_code") == 3
    assert RUN.flag("keep")
    assert RUN.item("failure").text("code") == "timed_out"
    assert [denial.number("port") for denial in RUN.items("denied")] == [443]
    assert RUN.texts("notes") == ["one"]
    assert RUN.table("failure") == {"code": "timed_out"}


def test_null_is_as_good_as_absent() -> None:
    for name in ("none", "absent"):
        assert name not in RUN
        assert RUN.text(name, "default") == "default"
        assert RUN.maybe_number(name) is None
        assert not RUN.flag(name)
        assert RUN.items(name) == []
        assert RUN.texts(name) == []
        assert RUN.table(name) == {}


READS: dict[str, Callable[[], object]] = {
    "a list is no object": lambda: Reply.of([]),
    "a number is no text": lambda: RUN.text("exit_code"),
    "null is no text": lambda: RUN.text("none"),
    "a text is no number": lambda: RUN.number("id"),
    "null is no number": lambda: RUN.number("none"),
    "true is no number": lambda: RUN.number("keep"),
    "a text is no flag": lambda: RUN.flag("id"),
    "a text is no object": lambda: RUN.item("id"),
    "a text is no list": lambda: RUN.items("id"),
    "texts are no objects": lambda: RUN.items("notes"),
    "objects are no texts": lambda: RUN.texts("denied"),
}


@pytest.mark.parametrize("why", READS)
def test_a_wrong_type_is_a_fault(why: str) -> None:
    with pytest.raises(Fault, match="cannot read the daemon's answer"):
        READS[why]()
