"""Mirrors: places and links under public names, and no other."""

from dataclasses import replace

import pytest

from cleanroom.decide.artifact import Grant
from cleanroom.decide.grammar import GRAMMARS
from cleanroom.decide.mirror import (
    Mirror,
    binding_of,
    is_of_operator,
    make_mirrors,
    mirrors_for,
    mirrors_of,
    public_place,
    renaming,
)
from cleanroom.decide.question import Artifact
from tests.policy.reading import compiled

NPM = Mirror("npm.example", "https://m.corp.example/api/npm", "a")
INDEX = Mirror("index.example", "https://m.corp.example/api/pypi", "a", "me")
FILES = Mirror("files.example", "https://m.corp.example/api/pypi")
ROOT = Mirror("root.example", "https://own.corp.example:8443")
EVERY = make_mirrors([NPM, INDEX, FILES, ROOT])
CRATES = Mirror("index.crates.example", "https://m.corp.example/api/cargo")
DOWNLOADS = Mirror("static.crates.example", "https://m.corp.example/api/crates")
MODULES = Mirror("proxy.example", "https://m.corp.example/api/go")
SUMS = Mirror("sum.example", "https://m.corp.example/api/sumdb")
CODE = Mirror("code.example", "https://git.corp.example/mirror")
OTHERS = make_mirrors([CRATES, DOWNLOADS, MODULES, SUMS, CODE])
PAGE = Grant("npm", "metadata", "/ms", "ms")


def test_a_mirror_says_who_is_dialled() -> None:
    assert (NPM.name, NPM.port, NPM.label, NPM.prefix) == (
        "m.corp.example", 443, "m.corp.example", "/api/npm",
    )  # fmt: skip
    assert (ROOT.port, ROOT.label, ROOT.prefix) == (8443, "own.corp.example:8443", "")
    assert (NPM.value_id, ROOT.value_id) == ("mirror:a", "")
    assert NPM.text.endswith("with the operator's secret 'a' as a bearer token")
    assert INDEX.text.endswith("as the password of me")
    kept = Mirror("a.example", "https://m.example", storage=("s3.example", "d.example:9000"))
    assert kept.text.endswith(
        "its mirror https://m.example, with files in s3.example, d.example:9000"
    )
    assert ROOT.text == "root.example is asked at its mirror https://own.corp.example:8443"


ART, NEXUS = "https://a.example/artifactory/api", "https://n.example/repository"


@pytest.mark.parametrize(
    ("manager", "mirror", "public", "path"),
    [
        ("npm", f"{ART}/npm/r", "/@s/x/-/@s/x-1.0.0.tgz", "/npm/r/@s/x/-/@s/x-1.0.0.tgz"),
        ("npm", f"{NEXUS}/r", "/@s/x/-/x-1.0.0.tgz", "/r/@s/x/-/x-1.0.0.tgz"),
        ("pypi", f"{ART}/pypi/r", "/packages/a/x-1.0.tar.gz", "/pypi/r/packages/a/x-1.0.tar.gz"),
        (
            "pypi",
            f"{ART}/pypi/r/packages",
            "/packages/a/b/x-1.0.tar.gz",
            "/pypi/r/packages/packages/a/b/x-1.0.tar.gz",
        ),
        ("pypi", f"{NEXUS}/r", "/packages/x/1.0/x-1.0.tar.gz", "/r/packages/x/1.0/x-1.0.tar.gz"),
        ("cargo", f"{ART}/cargo/r/v1", "/crates/x/1.0.0/download", "/v1/crates/x/1.0.0/download"),
        ("cargo", f"{NEXUS}/r", "/crates/x/1.0.0/download", "/r/crates/x/1.0.0/download"),
        ("go", f"{ART}/go/r", "/x.example/x/@v/v1.0.0.zip", "/go/r/x.example/x/@v/v1.0.0.zip"),
    ],
)
def test_files_of_the_usual_products_are_below_their_url(
    manager: str, mirror: str, public: str, path: str
) -> None:
    """And are known for what they are by the public path."""
    asked = GRAMMARS[manager].ask(public)
    assert isinstance(asked, Artifact)
    assert asked.version.removeprefix("v").startswith("1.0")
    assert Mirror("public.example", mirror).path_of(public).endswith(path)


def test_a_value_of_a_mirror_is_bound_to_nothing() -> None:
    binding = binding_of(NPM.value_id)
    assert is_of_operator(binding.secret_id)
    assert not is_of_operator("mirror")
    assert (binding.allowed_hosts, binding.env, binding.target) == ((), "", ())


def test_mirrors_of_a_policy_are_those_of_its_enabled_registries() -> None:
    policy = compiled(
        "version: 1\nregistries:\n"
        "  npm: {enable: true, allowed_hosts: [npm.example]}\n"
        "  pypi: {enable: false, allowed_hosts: [index.example]}\n"
    )
    assert mirrors_for(EVERY.values(), policy) == (NPM,)
    assert mirrors_of(EVERY, ["npm.example", "other.example"]) == {"npm.example": NPM}
    assert mirrors_of({}, ["npm.example"]) == {}


@pytest.mark.parametrize(
    ("at", "path", "asked", "place"),
    [
        (("m.corp.example", 443), "/api/npm/ms", "npm.example", ("npm.example", "/ms")),
        (("m.corp.example", 443), "/api/npm", "npm.example", ("npm.example", "/")),
        (("m.corp.example", 443), "/api/npm2/ms", "npm.example", ("", "")),
        (("m.corp.example", 8443), "/api/npm/ms", "npm.example", ("", "")),
        (("m.corp.example", 443), "/api/pypi/x", "index.example", ("index.example", "/x")),
        (("m.corp.example", 443), "/api/pypi/x", "files.example", ("files.example", "/x")),
        (("m.corp.example", 443), "/api/pypi/x", "npm.example", ("files.example", "/x")),
        (("own.corp.example", 8443), "/x", "npm.example", ("root.example", "/x")),
        (("other.example", 443), "/api/npm/ms", "npm.example", ("", "")),
    ],
)
def test_a_place_at_a_mirror_has_a_public_name(
    at: tuple[str, int], path: str, asked: str, place: tuple[str, str]
) -> None:
    assert public_place(EVERY, asked, at, path) == place


@pytest.mark.parametrize(
    ("mirror", "path"),
    [
        (CRATES, "/config.json"),
        (CRATES, "/le/ft/left-pad"),
        (DOWNLOADS, "/crates/left-pad/1.0.0/download"),
        (MODULES, "/m.example/!azure/x/@v/v1.0.0.zip"),
        (SUMS, "/lookup/m.example/x@v1.0.0"),
        (CODE, "/team/lib.git/info/refs"),
        (CODE, "/team/lib.git/git-upload-pack"),
    ],
)
def test_crates_modules_and_repositories_are_below_the_mirrors_path(
    mirror: Mirror, path: str
) -> None:
    """There as upstream is asked (gateway/upstream.py), and back as redirects are read."""
    at = (mirror.name, mirror.port)
    assert public_place(OTHERS, mirror.host, at, mirror.prefix + path) == (mirror.host, path)
    assert public_place(OTHERS, mirror.host, at, f"{mirror.prefix}-else{path}") == ("", "")


def test_where_crates_are_had_is_a_public_name_again() -> None:
    config = Grant("cargo", "metadata", "/config.json")
    rename = renaming(OTHERS, config, CRATES.host)
    assert rename is not None
    assert rename(b'{"dl":"https://m.corp.example/api/crates/crates/{crate}"}') == (
        b'{"dl":"https://static.crates.example/crates/{crate}"}'
    )


def test_where_the_operator_logs_in_cargo_is_not_told_to() -> None:
    page = b'{"dl":"https://m.corp.example/api/crates","auth-required" : true}'
    said = b'{"dl":"https://static.crates.example",%b}'
    config = Grant("cargo", "metadata", "/config.json")
    known = make_mirrors([replace(CRATES, auth="a"), DOWNLOADS])
    for asked, login in ((CRATES.host, b'"auth-required":false'), (DOWNLOADS.host, b"")):
        rename = renaming(known, config, asked)
        assert rename is not None
        assert rename(page) == said % (login or b'"auth-required" : true')
    rename = renaming(OTHERS, config, CRATES.host)
    assert rename is not None
    assert rename(page) == said % b'"auth-required" : true', "there is no token to log in with"


def test_an_index_may_have_its_pages_elsewhere() -> None:
    devpi = Mirror("index.example", "https://d.example/root/pypi", simple="+simple")
    at = ("d.example", 443)
    for public, path in (
        ("/simple/six/", "/root/pypi/+simple/six/"),
        ("/+f/ff7/six-1.tar.gz", "/root/pypi/+f/ff7/six-1.tar.gz"),
        ("/simply/six/", "/root/pypi/simply/six/"),
    ):
        assert devpi.path_of(public) == path
        assert public_place(make_mirrors([devpi]), devpi.host, at, path) == (devpi.host, public)
    assert INDEX.path_of("/simple/six/") == "/api/pypi/simple/six/"
    assert INDEX.public_of("/api/pypi/+simple/six/") == "/+simple/six/"


def test_the_longest_prefix_is_meant() -> None:
    inner = Mirror("inner.example", "https://m.corp.example/api/npm/inner")
    both = make_mirrors([NPM, inner])
    place = public_place(both, "npm.example", ("m.corp.example", 443), "/api/npm/inner/x")
    assert place == ("inner.example", "/x")


@pytest.mark.parametrize(
    ("page", "renamed"),
    [
        (b'"https://m.corp.example/api/npm/ms/-/ms-1.tgz"', b'"https://npm.example/ms/-/ms-1.tgz"'),
        (rb'"https:\/\/m.corp.example\/api\/npm\/ms"', rb'"https:\/\/npm.example\/ms"'),
        (b"<https://m.corp.example/api/npm>", b"<https://npm.example>"),
        (b"https://own.corp.example:8443/x", b"https://root.example/x"),
        (b"https://m.corp.example/api/npm2/ms", b"https://m.corp.example/api/npm2/ms"),
        (b"https://m.corp.example/api/npm-x", b"https://m.corp.example/api/npm-x"),
        (b"https://own.corp.example:84430/x", b"https://own.corp.example:84430/x"),
        (b"https://xm.corp.example/api/npm/", b"https://xm.corp.example/api/npm/"),
        (b"http://m.corp.example/api/npm/", b"http://m.corp.example/api/npm/"),
    ],
)
def test_links_have_public_names_and_nothing_else_is_changed(page: bytes, renamed: bytes) -> None:
    rename = renaming(EVERY, PAGE, "npm.example")
    assert rename is not None
    assert rename(b"a " + page + b" z") == b"a " + renamed + b" z"


@pytest.mark.parametrize(
    "grant",
    [
        Grant("npm", "artifact", "/ms/-/ms-1.tgz", "ms", "1"),
        Grant("go", "metadata", "/m.example/x/@v/list", "m.example/x"),
        Grant("git", "metadata", "/a.git/info/refs", "a.git"),
        Grant("pypi", "metadata", "/x-1-py3-none-any.whl.metadata", "x"),
    ],
)
def test_what_has_a_digest_or_no_links_stays_as_it_is(grant: Grant) -> None:
    assert renaming(EVERY, grant, "npm.example") is None
    assert renaming({}, PAGE, "npm.example") is None
