import pytest

from cleanroom.lockfile.requirement_lines import included_files, logical_lines


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("-r other.txt", ["other.txt"]),
        ("-rother.txt  # why", ["other.txt"]),
        ("--requirement=a/b.txt", ["a/b.txt"]),
        ("-c \\\n  limits.txt", ["limits.txt"]),
        ("--constraint limits.txt", ["limits.txt"]),
        ("# -r no.txt", []),
        ("foo==1 -r no.txt", []),
        ("--pre", []),
    ],
)
def test_files_are_named_by_two_options(line: str, named: list[str]) -> None:
    assert list(included_files(f"bar==1\n{line}\n")) == named


def test_lines_are_joined_and_counted() -> None:
    text = "a \\\n b\r\n\n# x\\\nc # y"
    assert list(logical_lines(text)) == [("a b", 1), ("c", 5)]
