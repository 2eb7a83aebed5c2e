"""Paths are compared by segments; the rest of a binding is in test_widening.py."""

import pytest

from cleanroom.policy.model import SecretBinding
from cleanroom.policy.widening_secrets import is_below, secret_text, widened_secrets


@pytest.mark.parametrize(
    ("path", "prefix", "below"),
    [
        ("/api", "/api", True),
        ("/api/v1", "/api", True),
        ("/api/v1", "/api/", True),
        ("/api", "/api/", False),
        ("/apix", "/api", False),
        ("/", "/api", False),
        ("/anything", "/", True),
    ],
)
def test_a_path_lies_below_a_prefix_by_whole_segments(
    path: str,
    prefix: str,
    below: bool,  # noqa: FBT001
) -> None:
    assert is_below(path, prefix) is below


def test_a_longer_path_narrows() -> None:
    def binding(*paths: str) -> tuple[SecretBinding, ...]:
        return (SecretBinding("gh", "GH", ("a.example",), paths=paths),)

    assert not list(widened_secrets(binding("/api"), binding("/api/v1", "/api/v2")))
    assert list(widened_secrets(binding("/api/v1"), binding("/api")))


def test_a_binding_in_words_has_no_value_to_show() -> None:
    text = secret_text(SecretBinding("gh", "GH", ("a.example", "b.example"), ports=(443, 8443)))
    assert text == "gh (GH) to a.example, b.example on port 443, 8443"
