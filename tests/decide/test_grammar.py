import pytest

from cleanroom.decide.grammar import GRAMMARS
from cleanroom.policy.artifact_pin import ArtifactPin


@pytest.mark.parametrize(
    ("manager", "pin", "file"),
    [
        ("npm", ArtifactPin("a", "1"), ""),
        ("npm", ArtifactPin("a", "1", url="https://npm.example/a/-/a-1.tgz?x#y"), "a-1.tgz"),
        ("npm", ArtifactPin("a", "1", url="https://npm.example/%40a/x"), "x"),
        ("pypi", ArtifactPin("a", "1", "a-1.tar.gz", "https://files.example/b"), "a-1.tar.gz"),
        ("cargo", ArtifactPin("a", "1.0.0"), ""),
        ("go", ArtifactPin("a.b/c", "v1.0.0", "zip"), "v1.0.0.zip"),
        ("go", ArtifactPin("a.b/c", "v1.0.0", "go.mod"), "v1.0.0.mod"),
        ("go", ArtifactPin("a.b/c", "v1.0.0"), ""),
    ],
)
def test_a_pin_speaks_of_the_file_that_requests_name(
    manager: str, pin: ArtifactPin, file: str
) -> None:
    assert GRAMMARS[manager].file(pin) == file


def test_names_and_versions_have_one_spelling_each() -> None:
    spelt = {each: (g.name("A_b"), g.version("1.0")) for each, g in GRAMMARS.items()}
    assert spelt == {
        "npm": ("A_b", "1.0"),
        "pypi": ("a-b", "1"),
        "cargo": ("a_b", "1.0"),
        "git": ("A_b", "1.0"),
        "go": ("A_b", "1.0"),
    }
