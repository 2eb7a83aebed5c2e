"""A file's link on an index's page, in pieces as they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.links import LinkFinder

FILE = "six-1.17.0+a-py2.py3-none-any.whl"
PAGE = (
    '<a href="../../x/other-1.0.tar.gz#sha256=0">other-1.0.tar.gz</a>\n'
    f'<a data-x="1" href="../../x/{FILE}.metadata">m</a>'
    f"<a href='../../packages/six/1.17.0/{FILE}#sha256=0'\n data-y>{FILE}</a>"
    f'<a href="/later/{FILE}">'
)


def found(page: str, size: int = 10_000, file: str = FILE) -> str:
    finder = LinkFinder(file)
    data = page.encode()
    for at in range(0, len(data), size):
        finder.feed(data[at : at + size])
    return finder.found


@given(st.integers(1, 400))
def test_it_is_found_however_the_page_is_cut(size: int) -> None:
    assert found(PAGE, size) == f"../../packages/six/1.17.0/{FILE}"


@pytest.mark.parametrize(
    ("link", "address"),
    [
        (f'href="https://a.example/x/{FILE}"', f"https://a.example/x/{FILE}"),
        (f'href="/x/{FILE.replace("+", "%2B")}?a=1"', f"/x/{FILE.replace('+', '%2B')}"),
        (f'href="/x?a&amp;b/{FILE}"', f"/x?a&b/{FILE}"),
        (f"href=/x/{FILE}#", ""),
        (f'href="/x/{FILE}', ""),
        (f'href="/x/{FILE}.asc"', ""),
        (f'href="/x y/{FILE}"', ""),
        (f'href="/x"/{FILE}"', ""),
        (f'href="/ü/{FILE}"', ""),
        (f'data="/x/{FILE}"', ""),
        (f'href="{"x" * 4096}/{FILE}"', ""),
    ],
)
def test_only_an_address_in_quotation_marks_is_a_link(link: str, address: str) -> None:
    assert found(f"<a {link}>") == address


def test_a_page_that_names_the_file_very_often_is_not_looked_through() -> None:
    named = f"{FILE}>" * 64
    assert found(named + PAGE) == ""
    assert found(named, 64) == ""
