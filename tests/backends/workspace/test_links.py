"""Which links may be brought out; more of it is told by test_apply.py."""

import pytest

from cleanroom.backends.workspace.changes import change_set
from cleanroom.backends.workspace.links import Links, landing
from cleanroom.backends.workspace.sources import open_sources
from tests.backends.workspace.overlays import Workspace


@pytest.mark.parametrize(
    ("path", "text", "where"),
    [
        ("l", "a", "a"),
        ("d/l", "../a/./b//c", "a/b/c"),
        ("d/l", "..", ""),
        ("d/e/l", "../x", "d/x"),
        ("l", "..", None),
        ("d/l", "../..", None),
        ("l", "/etc", None),
        ("l", "a/../b", None),
        ("l", ".git", None),
    ],
)
def test_where_a_link_leads_is_read_from_its_text(path: str, text: str, where: str | None) -> None:
    assert landing(path, text) == where


def harmless(workspace: Workspace, script: str) -> dict[str, bool]:
    """Every link that a script makes, and whether it may come out."""
    workspace.run(script)
    wanted = list(change_set(workspace.folder).changes)
    with open_sources(workspace.folder) as sources:
        links = Links(sources, wanted)
        return {
            change.path: links.stays_inside(change.path)
            for change in wanted
            if change.type == "link" and change.kind != "deleted"
        }


def test_a_link_through_a_link_of_the_host_is_refused(workspace: Workspace) -> None:
    (workspace.root / "out").symlink_to("/etc")
    (workspace.root / "in").symlink_to("d")
    workspace.write("d/a")
    script = "ln -s out/passwd p; ln -s out o; ln -s in/a i; ln -s in j; ln -s d/a a"
    assert harmless(workspace, script) == {
        "p": False,
        "o": False,
        "i": False,
        "j": True,
        "a": True,
    }


def test_a_link_through_another_new_link_is_refused(workspace: Workspace) -> None:
    script = "mkdir d; ln -s .. d/up; ln -s d/up/x one; ln -s d/up two; ln -s gone/x three"
    assert harmless(workspace, script) == {
        "d/up": True,
        "one": False,
        "two": True,
        "three": True,
    }


def test_a_ring_and_a_long_chain_are_refused(workspace: Workspace) -> None:
    chain = "; ".join(f"ln -s c{number + 1} c{number}" for number in range(12))
    found = harmless(workspace, f"ln -s b a; ln -s a b; {chain}")
    assert (found["a"], found["b"]) == (False, False)
    assert (found["c0"], found["c11"]) == (False, True)


def test_a_link_of_the_host_that_is_replaced_counts_no_more(workspace: Workspace) -> None:
    (workspace.root / "out").symlink_to("/etc")
    assert harmless(workspace, "rm out; mkdir out; touch out/a; ln -s out/a l") == {"l": True}
