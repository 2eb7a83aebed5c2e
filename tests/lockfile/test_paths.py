import pytest

from cleanroom.lockfile.paths import beside, matches, matches_name


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a.lock", ["a.lock"], ["b/a.lock", "a-lock", ""]),
        ("*.lock", ["a.lock", ".lock"], ["b/a.lock"]),
        ("**/a.lock", ["a.lock", "b/a.lock", "b/c/a.lock"], ["b/a.locks"]),
        ("p/*/a.lock", ["p/x/a.lock"], ["p/a.lock", "p/x/y/a.lock"]),
        ("p/**", ["p", "p/x/y"], ["q/x"]),
        ("a?c", ["abc"], ["ac", "a/c"]),
        ("x/**/y", ["x/y", "x/1/2/y"], ["y", "x/1"]),
    ],
)
def test_a_pattern_names_files(pattern: str, yes: list[str], no: list[str]) -> None:
    assert all(matches(pattern, path) for path in yes)
    assert not any(matches(pattern, path) for path in no)


def test_many_stars_cost_no_more_than_their_length() -> None:
    assert not matches_name("*a" * 200 + "b", "a" * 400)
    assert not matches("z/" + "**/" * 50 + "b", "a/" * 100)


@pytest.mark.parametrize(
    ("other", "place"),
    [("b.txt", "r/b.txt"), ("../b.txt", "b.txt"), ("./x//b.txt", "r/x/b.txt")],
)
def test_a_path_in_a_file_is_beside_it(other: str, place: str) -> None:
    assert beside("r/a.txt", other) == place


@pytest.mark.parametrize("other", ["../../b.txt", "/etc/passwd"])
def test_a_path_that_leaves_the_workspace_leads_nowhere(other: str) -> None:
    assert beside("r/a.txt", other) == ""
