import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.question import MAX_PATH, Unsound, read_path


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/left-pad", "/left-pad"),
        ("/@babel%2fcore", "/@babel/core"),
        ("/@babel%2Fcore", "/@babel/core"),
        ("/%40babel%2fcore", "/@babel/core"),
        ("/left-pad?write=true", "/left-pad"),
        ("/simple/six/", "/simple/six/"),
        ("/a-1.0%2Blocal.tar.gz", "/a-1.0+local.tar.gz"),
    ],
)
def test_every_spelling_of_a_path_is_one(target: str, path: str) -> None:
    assert read_path(target) == path


@pytest.mark.parametrize(
    "target",
    [
        "/@babel%252fcore",  # twice
        "/a/..;/b",
        "/a/../b",
        "/a/%2e%2e/b",
        "/..",
        "/.",
        "/a//b",
        "//evil.example/a",
        "/a\\b",
        "/a%5cb",
        "/a%00b",
        "/a%0d%0ab",
        "/a;b",
        "/%zz",
        "/%",
        "a/b",
        "",
        "*",
        "/a%c3%a9",
        "/é",
        "/" + "a" * MAX_PATH,
    ],
)
def test_a_path_with_two_readings_is_none(target: str) -> None:
    assert isinstance(read_path(target), Unsound)


@given(st.text(max_size=80))
def test_a_path_that_was_read_reads_as_itself(text: str) -> None:
    once = read_path("/" + text)
    if isinstance(once, str):
        assert read_path(once) == once
