import pytest

from cleanroom.policy.hosts import InvalidHostError
from cleanroom.policy.sites import (
    canonical_site,
    hosts_of,
    is_own,
    is_respelt,
    prefix_of,
    split_site,
)


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("A.Example", "a.example"),
        ("a.example.", "a.example"),
        ("a.example/", "a.example"),
        ("A.Example/api/Npm/", "a.example/api/Npm"),
        ("a.example/root/+simple/@x~1!.b", "a.example/root/+simple/@x~1!.b"),
    ],
)
def test_a_site_has_one_spelling(text: str, site: str) -> None:
    assert canonical_site(text) == site
    assert canonical_site(site) == site


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://a.example/npm", "it is a URL"),
        ("a.example:8443/npm", "a host name has letters"),
        ("/npm", "it is empty"),
        ("a.example//npm", "an empty part, dots"),
        ("a.example/npm//", "an empty part, dots"),
        ("a.example/../npm", "an empty part, dots"),
        ("a.example/./npm", "an empty part, dots"),
        ("a.example/n%70m", "a character that no registry's path needs"),
        ("a.example/npm?x", "a character that no registry's path needs"),
        ("a.example/n;pm", "a character that no registry's path needs"),
        ("a.example/n\\pm", "a character that no registry's path needs"),
        ("a.example/nüm", "a character that no registry's path needs"),
        ("a.example/*", "a character that no registry's path needs"),
        (f"a.example/{'n' * 512}", "longer than 512 characters"),
    ],
)
def test_what_is_no_site_says_why(text: str, why: str) -> None:
    with pytest.raises(InvalidHostError, match=why):
        canonical_site(text)


def test_a_site_is_a_host_and_what_its_paths_begin_with() -> None:
    assert split_site("a.example/api/npm") == ("a.example", "/api/npm")
    assert split_site("a.example") == ("a.example", "")
    assert hosts_of(["a.example/b", "b.example", "a.example"]) == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("prefixes", "path", "found"),
    [
        (["/npm", "/npm/own"], "/npm/own/x", "/npm/own"),
        (["/npm/own", "/npm"], "/npm/own/x", "/npm/own"),
        (["/npm", "/npm/own"], "/npm/owner/x", "/npm"),
        (["/npm", ""], "/npm", "/npm"),
        (["/npm", ""], "/npmx/y", ""),
        (["/npm"], "/npmx/y", None),
        (["/npm"], "/", None),
        ([], "/", None),
    ],
)
def test_the_longest_prefix_counts(prefixes: list[str], path: str, found: str | None) -> None:
    assert prefix_of(prefixes, path) == found
    assert not is_respelt(prefixes, path)


@pytest.mark.parametrize("path", ["/NPM/x", "/npm/OWN/x", "/Npm"])
def test_other_capitals_are_no_other_site(path: str) -> None:
    assert is_respelt(["/npm", "/npm/own", ""], path)


def test_a_prefix_may_have_capitals() -> None:
    assert not is_respelt(["/Npm", ""], "/Npm/X")
    assert is_respelt(["/Npm", ""], "/npm/X")


@pytest.mark.parametrize("path", ["/npm./x", "/npm/own.../x", "/Npm./x", "/npm/own."])
def test_dots_at_the_end_of_a_part_are_no_other_site(path: str) -> None:
    assert is_respelt(["/npm", "/npm/own", ""], path)
    assert not is_respelt(["/npm", "/npm/own", ""], path.replace(".", ".x"))


@pytest.mark.parametrize(
    ("place", "is_it"),
    [
        ("a.example/npm/x", True),
        ("a.example/npm/own/x", False),
        ("a.example/npm/Own/x", False),
        ("a.example/npm/own", False),
        ("a.example/x", False),
        ("b.example/x", True),
        ("b.example", True),
        ("c.example/npm/x", False),
    ],
)
def test_a_place_is_of_one_of_the_sites_or_of_one_beside_them(place: str, *, is_it: bool) -> None:
    sites, beside = ("a.example/npm", "b.example"), ("a.example/npm/own", "c.example")
    assert is_own(sites, beside, place) is is_it
