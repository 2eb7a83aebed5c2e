"""A git folder read as data; test_branch.py tells most of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.backends.workspace.gitview import GitView, is_ref

ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40


@pytest.fixture
def layers(tmp_path: Path) -> Iterator[tuple[GitView, Path, Path]]:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    fds = []
    for folder in (upper, lower):
        (folder / ".git/refs/heads").mkdir(parents=True)
        fds.append(os.open(folder, os.O_RDONLY))
    (lower / ".git/HEAD").write_text("ref: refs/heads/main\n")
    yield GitView(fds[0], fds[1], ".git"), upper / ".git", lower / ".git"
    for fd in fds:
        os.close(fd)


def test_what_was_not_written_inside_is_the_hosts(layers: tuple[GitView, Path, Path]) -> None:
    view, upper, lower = layers
    assert (view.tip(), view.host_tip()) == (None, None)
    (lower / "packed-refs").write_text(f"# pack-refs\n{ONE} refs/heads/main\n^{TWO}\n")
    assert (view.tip(), view.host_tip()) == (ONE, ONE)
    (upper / "refs/heads/main").write_text(f"{TWO}\n")
    assert (view.tip(), view.host_tip()) == (TWO, ONE)
    (upper / "HEAD").write_text(THREE)
    assert view.tip() == THREE
    assert view.known() == [ONE]
    assert view.host_refs() == {"refs/heads/main"}


@pytest.mark.parametrize(
    "text", ["", "ref: refs/heads/../../x\n", "ref: ", "ref: HEAD\n", "nonsense", "ref: refs/x\n"]
)
def test_a_head_that_names_nothing_is_none(layers: tuple[GitView, Path, Path], text: str) -> None:
    view, upper, _ = layers
    (upper / "HEAD").write_text(text)
    assert view.tip() is None


def test_a_ring_of_references_ends(layers: tuple[GitView, Path, Path]) -> None:
    view, upper, _ = layers
    (upper / "refs/heads/main").write_text("ref: refs/heads/other")
    (upper / "refs/heads/other").write_text("ref: refs/heads/main")
    assert view.tip() is None


def test_only_objects_are_listed(layers: tuple[GitView, Path, Path]) -> None:
    view, upper, _ = layers
    wanted = [f"ab/{'c' * 38}", f"pack/pack-{ONE}.pack"]
    for name in (*wanted, "ab/short", f"pack/pack-{ONE}.idx", "info/alternates", "xx/y"):
        (upper / "objects" / name).parent.mkdir(parents=True, exist_ok=True)
        (upper / "objects" / name).touch()
    assert list(view.new_objects()) == [f".git/objects/{name}" for name in wanted]


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("refs/heads/a/b-c_1.2", True),
        ("refs", False),
        ("refs/heads/", False),
        ("refs/heads/a..b", False),
        ("refs/heads/.a", False),
        ("refs/heads/a.", False),
        ("refs/heads/a.lock/b", False),
        ("refs/heads/a@{1}", False),
        ("heads/a", False),
        ("refs/heads/a\n", False),
    ],
)
def test_a_reference_has_a_plain_name(name: str, good: bool) -> None:  # noqa: FBT001
    assert is_ref(name) is good
