"""Patterns mean what git means by them: git itself is the judge."""

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.backends.workspace.patterns import Patterns, parse_patterns

PATHS = (
    "a", "a.log", "d/a.log", "d/e/a.log", "d/x", "x", "foo/bar", "d/foo/bar", "abc", "acc", "a-c",
    "#x", "!x", "sp ace", "deep/er/and/x", "build/out", "src/build/out", "a]b",
)  # fmt: skip
LINES = (
    "*.log", "/a", "d/", "x", "/x", "foo/bar", "d/*", "**/x", "deep/**", "deep/**/x", "a?c",
    "a[bc]c", "a[!b]c", "a[^b]c", "\\#x", "\\!x", "# comment", "", "  ", "build/", "/build",
    "a[b-]c", "*", "[", "d/e/", "sp ace", "x   ", "a[]]b",
)  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("git")
    subprocess.run(["/usr/bin/git", "init", "-q", str(root)], check=True)
    for path in PATHS:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if not (root / path).is_dir():
            (root / path).touch()
    return root


def ignored_by_us(patterns: Patterns, path: str) -> bool:
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        if patterns.match("/".join(parts[:depth]), folder=depth < len(parts)):
            return True
    return False


@pytest.mark.parametrize("text", [*LINES, "*.log\n!a.log", "d/*\n!d/x", "!x\nx", "x\r\n*.log\r"])
def test_git_agrees(repository: Path, text: str) -> None:
    (repository / ".gitignore").write_text(f"{text}\n")
    answer = subprocess.run(
        ["/usr/bin/git", "-C", str(repository), "check-ignore", "--no-index", "--stdin", "-z"],
        input="\0".join(PATHS).encode(),
        capture_output=True,
        check=False,
    )
    patterns = parse_patterns(text)
    ours = [path for path in PATHS if ignored_by_us(patterns, path)]
    assert ours == [path for path in answer.stdout.decode().split("\0") if path]


def test_a_path_that_no_line_names_is_left_open() -> None:
    assert parse_patterns("a\n!b\n").match("c", folder=False) is None
    assert parse_patterns("a\n!b\n").match("b", folder=False) is False


def test_a_pattern_that_could_take_for_ever_is_passed_over() -> None:
    patterns = parse_patterns("*a*a*a*a*a*a*a*a*b\n")
    began = time.process_time()
    assert patterns.match("a" * 5000, folder=False) is None
    assert time.process_time() - began < 5  # to try every way takes longer than the universe has


@given(st.text(), st.text(min_size=1))
def test_any_text_is_patterns(text: str, path: str) -> None:
    assert parse_patterns(text).match(path, folder=True) in (True, False, None)
