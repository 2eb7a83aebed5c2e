"""`--secret` flags and the daemon's words: which of them says where a value is."""

import pytest

from cleanroom.client.reply import Reply
from cleanroom.client.sources import Source, given_secrets, no_source, source_of
from cleanroom.errors import UsageError


def test_flags_are_read() -> None:
    assert given_secrets(["a=TOKEN", "b.c=fd:3@One.example,two.example", "d@x"]) == {
        "d": Source("d", "env", (), ("x",), by_flag=True),
        "a": Source("a", "env", ("TOKEN",), by_flag=True),
        "b.c": Source("b.c", "fd", ("3",), ("one.example", "two.example"), by_flag=True),
    }


@pytest.mark.parametrize("flag", ["", "a", "=A", "a=", "a=1", "a=A@", "a=fd:2", "a=A@x y", "a=A b"])
def test_what_is_no_flag_is_refused_and_not_repeated(flag: str) -> None:
    with pytest.raises(UsageError) as caught:
        given_secrets([flag])
    assert flag not in caught.value.message or len(flag) < 3


def test_an_id_is_given_once() -> None:
    with pytest.raises(UsageError):
        given_secrets(["a=A", "a=B"])


def test_a_flag_is_stronger_than_the_operator() -> None:
    operators: dict[str, object] = {"provider": "file", "words": ["/x"]}
    need = Reply({"id": "a", "source": operators})
    assert source_of(need, {}) == Source("a", "file", ("/x",))
    flag = Source("a", "env", ("A",))
    assert source_of(need, {"a": flag}) == flag
    assert source_of(need, {"a": Source("a", "env", (), ("x",))}) == Source("a", "file", ("/x",))
    assert source_of(Reply({"id": "a", "source": None}), {}) is None
    assert no_source("a").hint.startswith("--secret a=VARIABLE")
    assert no_source("a", "A").hint.startswith("set A, or --secret a=VARIABLE")


def test_a_value_written_where_a_name_belongs_is_not_repeated() -> None:
    (source,) = given_secrets(["a=ghp_0123456789abcdef"]).values()
    assert source.text() == "--secret"
