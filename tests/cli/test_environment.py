"""-e and --env-file."""

from pathlib import Path

import pytest

from cleanroom.cli.environment import given_environment, look_like_credentials
from cleanroom.errors import UsageError, UserError


def test_flags_win_over_files_and_the_last_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# c\n\nA=file\nB=x=y\nMINE\n")
    environ = {"MINE": "mine"}
    assert given_environment(["A=1", "A=2", "MINE", "ABSENT"], [str(path)], environ) == {
        "A": "2",
        "B": "x=y",
        "MINE": "mine",
    }


def test_a_bad_name_is_refused() -> None:
    with pytest.raises(UsageError):
        given_environment(["1A=x"], [], {})


@pytest.mark.parametrize(("content", "why"), [(b"A=1\n=2\n", ":2"), (b"\xff", "utf-8")])
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "env"
    path.write_bytes(content)
    with pytest.raises(UserError, match=why):
        given_environment([], [str(path)], {})


def test_an_absent_file_is_refused() -> None:
    with pytest.raises(UserError, match="No such file") as refused:
        given_environment([], ["/nonexistent"], {})
    assert refused.value.hint


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("GITHUB_TOKEN", "x", True),
        ("X_API_KEY", "x", True),
        ("DB_PASSWORD", "x", True),
        ("X", "ghp_abcdef", True),
        ("X", "sk-abc", True),
        ("X", "-----BEGIN PRIVATE KEY", True),
        ("X", "postgres://me:pw@db.example/", True),
        ("NODE_ENV", "test", False),
        ("URL", "https://a.example/x", False),
        ("EMPTY_TOKEN", "", False),
    ],
)
def test_credential_shapes(name: str, value: str, secret: bool) -> None:  # noqa: FBT001
    assert look_like_credentials({name: value}) == ([name] if secret else [])
