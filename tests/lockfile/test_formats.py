import pytest

from cleanroom.lockfile import formats
from cleanroom.lockfile.formats import READERS, format_of, read_lockfile
from cleanroom.lockfile.model import Limits
from tests.lockfile.reading import SRI, error, pins


@pytest.mark.parametrize("name", READERS)
def test_a_format_is_known_by_its_name_in_any_folder(name: str) -> None:
    assert format_of(name) == format_of(f"a/b/{name}") == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("requirements/dev.txt", "requirements.txt"),
        ("pylock.dev.toml", "pylock.toml"),
        ("mise.prod.lock", "mise.lock"),
        ("tools/x.py.lock", "uv.lock"),
        ("go.work.sum", "go.sum"),
        ("a.lock", ""),
        ("package.json", ""),
        ("pylock.x", ""),
        ("", ""),
    ],
)
def test_other_names_that_mean_a_format(path: str, name: str) -> None:
    assert format_of(path) == name


def test_both_generations_of_yarn_have_one_name() -> None:
    berry = '# x\n__metadata:\n  version: 8\n"a@npm:1":\n  resolution: "a@npm:1.0.0"\n'
    assert pins("yarn.lock", berry) == ["a 1.0.0 first-seen"]
    assert pins("yarn.lock", berry.removeprefix("# x\n")) == ["a 1.0.0 first-seen"]
    assert pins("yarn.lock", f'a@1:\n  version "1.0.0"\n  integrity {SRI}\n') == ["a 1.0.0 sha512"]


def test_a_byte_order_mark_is_no_text() -> None:
    assert read_lockfile("go.sum", "\ufeff").pins == ()


def test_what_is_no_text_or_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert error("go.sum", "\n\0") == "2:1 cannot read it: it is no text"
    monkeypatch.setattr(formats, "LIMITS", Limits(characters=4))
    assert error("go.sum", "12345") == "1:1 cannot read it: it is longer than 4 characters"


def test_an_unknown_format_names_the_known_ones() -> None:
    assert error("Gemfile.lock", "").startswith("1:1 cannot read it: its format is unknown (known:")
    assert "save-text-lockfile" in error("bun.lockb", "")
