import pytest

from cleanroom.decide.exception import digests_of, excepted_names, excepted_versions, exception_of
from cleanroom.decide.grammar import GRAMMARS
from cleanroom.decide.question import Artifact
from cleanroom.policy.model import RegistryException, RegistryPolicy

TODAY = "2027-01-15"
SHA256 = "sha256:" + "b" * 64


def _policy(manager: str, *purls: str, expires: str = TODAY) -> RegistryPolicy:
    exceptions = tuple(RegistryException(purl, expires, "why", SHA256) for purl in purls)
    return RegistryPolicy(
        manager, enabled=True, allowed_hosts=("a.example",), exceptions=exceptions
    )


@pytest.mark.parametrize(
    ("manager", "purl", "name", "version"),
    [
        ("npm", "pkg:npm/%40a/b@1.0.0", "@a/b", "1.0.0"),
        ("npm", "pkg:npm/@a/b", "@a/b", "9.9.9"),
        ("pypi", "pkg:pypi/Set_uptools@1.0.0", "set-uptools", "1.0"),
        ("cargo", "pkg:cargo/Inflector@0.11.4", "inflector", "0.11.4"),
        (
            "go",
            "pkg:golang/github.com/Azure/x@v1.0.0%2Bincompatible",
            "github.com/Azure/x",
            "v1.0.0+incompatible",
        ),
    ],
)
def test_an_exception_is_a_package_url_of_its_manager(
    manager: str, purl: str, name: str, version: str
) -> None:
    policy, grammar = _policy(manager, purl), GRAMMARS[manager]
    assert exception_of(policy, grammar, name, version, TODAY)
    assert excepted_names(policy, grammar, TODAY) == {name}
    assert len(excepted_versions(policy, grammar, name, TODAY)) == 1
    assert exception_of(policy, grammar, f"{name}x", version, TODAY) is None
    assert exception_of(policy, grammar, name, version, "2027-01-16") is None
    for other in GRAMMARS.values():
        if other is not grammar:
            assert exception_of(policy, other, name, version, TODAY) is None


def test_a_digest_of_a_go_module_is_that_of_its_zip_file() -> None:
    go, npm = _policy("go", "pkg:golang/a.b/c"), _policy("npm", "pkg:npm/a")
    mod = Artifact("a.b/c", "v1.0.0", "v1.0.0.mod", "/")
    file = Artifact("a.b/c", "v1.0.0", "v1.0.0.zip", "/")
    assert digests_of(go.exceptions[0], go, mod) == ()
    assert digests_of(go.exceptions[0], go, file) == (SHA256,)
    assert digests_of(npm.exceptions[0], npm, mod) == (SHA256,)
    assert digests_of(None, go, file) == ()
