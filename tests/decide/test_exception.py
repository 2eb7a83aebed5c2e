import pytest

from cleanroom.decide.exception import digests_of, index_excepted
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
    spelt, excepted = grammar.version(version), index_excepted(policy, grammar)
    assert excepted.find(name, spelt, TODAY)
    assert excepted.names(TODAY) == {name}
    assert len(excepted.versions(name, TODAY)) == 1
    assert excepted.find(f"{name}x", spelt, TODAY) is None
    assert excepted.find(name, spelt, "2027-01-16") is None
    assert excepted.names("2027-01-16") == set()
    for other in GRAMMARS.values():
        if other is not grammar:
            assert index_excepted(policy, other).names(TODAY) == set()


def test_of_several_exceptions_the_first_that_speaks_of_it_counts() -> None:
    policy = _policy("npm", "pkg:npm/a@1.0.0", "pkg:npm/a@2.0.0", "pkg:npm/a", "pkg:npm/b@1.0.0")
    excepted = index_excepted(policy, GRAMMARS["npm"])
    found = [excepted.find("a", version, TODAY) for version in ("1.0.0", "2.0.0", "3.0.0")]
    assert found == list(policy.exceptions[:3])
    assert excepted.find("b", "2.0.0", TODAY) is None
    assert excepted.versions("a", TODAY) == {"1.0.0", "2.0.0", ""}


def test_a_repository_is_excepted_by_its_host_and_path() -> None:
    policy = _policy("git", f"pkg:generic/x?vcs_url=git+https://a.example/b/c@{'a' * 40}")
    excepted = index_excepted(policy, GRAMMARS["git"])
    assert excepted.of("a.example/b/c", TODAY) == [("a" * 40, policy.exceptions[0])]
    vague = index_excepted(_policy("git", "pkg:generic/x"), GRAMMARS["git"])
    assert vague.names(TODAY) == set()


def test_a_digest_of_a_go_module_is_that_of_its_zip_file() -> None:
    go, npm = _policy("go", "pkg:golang/a.b/c"), _policy("npm", "pkg:npm/a")
    mod = Artifact("a.b/c", "v1.0.0", "v1.0.0.mod", "/")
    file = Artifact("a.b/c", "v1.0.0", "v1.0.0.zip", "/")
    assert digests_of(go.exceptions[0], go, mod) == ()
    assert digests_of(go.exceptions[0], go, file) == (SHA256,)
    assert digests_of(npm.exceptions[0], npm, mod) == (SHA256,)
    assert digests_of(None, go, file) == ()
