"""The long explanations of the reason codes."""

import pytest

from cleanroom.codes import EXPLANATIONS, explain, render_markdown
from cleanroom.errors import Code


def test_every_code_has_an_explanation_and_nothing_else_has() -> None:
    assert set(EXPLANATIONS) == set(Code)


@pytest.mark.parametrize("code", list(Code))
def test_an_explanation_is_three_whole_paragraphs(code: Code) -> None:
    for paragraph in explain(code):
        assert len(paragraph) > 15
        assert paragraph == paragraph.strip()


def test_the_page_lists_every_code_in_the_order_of_the_source() -> None:
    page = render_markdown()
    places = [page.index(f"## `{code}`") for code in Code]
    assert places == sorted(places)
