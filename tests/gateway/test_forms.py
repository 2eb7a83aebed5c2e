import dataclasses

import pytest

from cleanroom.gateway.forms import form_of, refine_of, upstream_accept, wants_html
from tests.gateway.upstreams import artifact, page

_SHORT = "application/vnd.npm.install-v1+json"
_PYPI = "application/vnd.pypi.simple.v1+json"


@pytest.mark.parametrize(
    ("manager", "cooldown_s", "accept", "form"),
    [
        ("npm", 0, f"{_SHORT}; q=1.0, application/json; q=0.8", _SHORT),
        ("npm", 0, "*/*", "application/json"),
        ("npm", 7, _SHORT, "application/json"),
        ("pypi", 0, f"{_PYPI}, text/html; q=0.1", _PYPI),
        ("pypi", 0, "text/html", "text/html"),
        ("pypi", 0, "", "text/html"),
        ("pypi", 7, "text/html", _PYPI),
        ("cargo", 0, "*/*", ""),
        ("go", 7, "text/html", ""),
        ("git", 0, "text/html", ""),
    ],
)
def test_equal_questions_have_one_form(
    manager: str, cooldown_s: int, accept: str, form: str
) -> None:
    grant = dataclasses.replace(page(), manager=manager, cooldown_s=cooldown_s)
    assert form_of(grant, accept) == form
    assert form in upstream_accept(form)


def test_what_has_one_form_only_has_none() -> None:
    assert form_of(artifact(b""), _SHORT) == ""
    assert upstream_accept("") == "*/*"


def test_old_clients_of_an_index_read_html_only() -> None:
    grant = dataclasses.replace(page(), manager="pypi")
    assert wants_html(grant, "text/html")
    assert not wants_html(grant, f"{_PYPI}, text/html; q=0.1")
    assert not wants_html(page(), "text/html")


def test_what_a_git_host_is_asked_is_a_form_of_its_own() -> None:
    grant = dataclasses.replace(page(), manager="git", form="git 0123")
    assert form_of(grant, "text/html") == "git 0123"
    assert upstream_accept("git 0123") == "*/*"


def test_without_a_cooldown_and_in_a_package_nothing_is_taken_away() -> None:
    assert refine_of(page(), "", 0.0) is None
    assert refine_of(dataclasses.replace(artifact(b""), cooldown_s=7), "", 0.0) is None


def test_under_a_cooldown_old_clients_get_html() -> None:
    grant = dataclasses.replace(page(), manager="pypi", cooldown_s=7)
    document = b'{"name": "six", "files": []}'
    as_html, as_json = (refine_of(grant, each, 1e9) for each in ("text/html", _PYPI))
    assert as_html
    assert as_html(document).lower().startswith(b"<!doctype html>")
    assert as_json
    assert b'"files"' in as_json(document)
