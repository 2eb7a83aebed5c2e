import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.go import ask_go
from cleanroom.decide.question import Artifact, Metadata, Question, Service, Unsound

_TEXT = "golang.org/x/text"
_WRONG = Unsound("a module's name or version is not written as Go writes it")


def _of_version(name: str, path: str, version: str) -> Metadata:
    return Metadata(name, path, versions=False, of_file=True, version=version)


def _of_database(path: str) -> Metadata:
    return Metadata("", path, versions=False, of_registry=True)


@pytest.mark.parametrize(
    ("target", "question"),
    [
        (f"/{_TEXT}/@v/list", Metadata(_TEXT, f"/{_TEXT}/@v/list", versions=False)),
        (f"/{_TEXT}/@latest", Metadata(_TEXT, f"/{_TEXT}/@latest", versions=False)),
        ("/golang.org/@v/list", Metadata("golang.org", "/golang.org/@v/list", versions=False)),
        (
            f"/{_TEXT}/@v/v0.3.0.info?x",
            _of_version(_TEXT, f"/{_TEXT}/@v/v0.3.0.info", "v0.3.0"),
        ),
        (f"/{_TEXT}/@v/master.info", _of_version(_TEXT, f"/{_TEXT}/@v/master.info", "master")),
        (
            f"/{_TEXT}/@v/v0.3.0.zip",
            Artifact(_TEXT, "v0.3.0", "v0.3.0.zip", f"/{_TEXT}/@v/v0.3.0.zip"),
        ),
        (
            "/go/proxy/github.com/!azure/az-sdk/v2/@v/v2.0.0-!r!c1+incompatible.mod",
            Artifact(
                "github.com/Azure/az-sdk/v2",
                "v2.0.0-RC1+incompatible",
                "v2.0.0-RC1+incompatible.mod",
                "/go/proxy/github.com/!azure/az-sdk/v2/@v/v2.0.0-!r!c1+incompatible.mod",
            ),
        ),
        (
            "/github.com/%21azure/x/@v/v1.0.0.mod",
            Artifact(
                "github.com/Azure/x", "v1.0.0", "v1.0.0.mod", "/github.com/!azure/x/@v/v1.0.0.mod"
            ),
        ),
        # A part of a module's path may be any of the words that have a meaning elsewhere.
        (
            "/golang.org/x/mod/sumdb/note/@v/list",
            Metadata(
                "golang.org/x/mod/sumdb/note",
                "/golang.org/x/mod/sumdb/note/@v/list",
                versions=False,
            ),
        ),
        ("/sumdb/sum.golang.org/supported", _of_database("/sumdb/sum.golang.org/supported")),
        ("/sumdb/sum.golang.org/latest", _of_database("/sumdb/sum.golang.org/latest")),
        ("/latest", _of_database("/latest")),
        ("/tile/8/0/x001/x234/567.p/12", _of_database("/tile/8/0/x001/x234/567.p/12")),
        (
            "/p/sumdb/sum.golang.org/tile/8/data/000",
            _of_database("/p/sumdb/sum.golang.org/tile/8/data/000"),
        ),
        (
            "/lookup/github.com/!azure/x@v1.0.0",
            _of_version("github.com/Azure/x", "/lookup/github.com/!azure/x@v1.0.0", "v1.0.0"),
        ),
        (
            f"/sumdb/sum.golang.org/lookup/{_TEXT}@v0.3.0",
            _of_version(_TEXT, f"/sumdb/sum.golang.org/lookup/{_TEXT}@v0.3.0", "v0.3.0"),
        ),
        ("/github.com/Azure/x/@v/list", _WRONG),
        ("/github.com/!Azure/x/@v/list", _WRONG),
        ("/github.com/!!a/x/@v/list", _WRONG),
        ("/github.com/a!/@v/list", _WRONG),
        ("/github.com/.a/@v/list", _WRONG),
        ("/github.com./a/@v/list", _WRONG),
        ("/github.com/a+b/@v/list", _WRONG),
        ("/nodots/@v/list", _WRONG),
        ("/@v/list", _WRONG),
        (f"/{_TEXT}/@v/V1.0.0.info", _WRONG),
        (f"/{_TEXT}/@v/.info", _WRONG),
        (f"/{_TEXT}/@v/v1", _WRONG),
        (f"/{_TEXT}/@v/{'v' * 257}.zip", _WRONG),
        ("/lookup/github.com/A/x@v1.0.0", _WRONG),
        ("/lookup/github.com/x@v1@2", _WRONG),
        (f"/{_TEXT}/@v/v1.0.0.ziphash", Service(f"/{_TEXT}/@v/v1.0.0.ziphash")),
        ("/lookup/github.com/x", Service("/lookup/github.com/x")),
        (
            "/lookup/golang.org/x/mod/sumdb/note@v1.0.0",
            _of_version(
                "golang.org/x/mod/sumdb/note",
                "/lookup/golang.org/x/mod/sumdb/note@v1.0.0",
                "v1.0.0",
            ),
        ),
        ("/sumdb", Service("/sumdb")),
        ("/sumdb/the-secret.example/latest", Service("/sumdb/the-secret.example/latest")),
        ("/sumdb/sum.golang.org", Service("/sumdb/sum.golang.org")),
        ("/tile/8/0/1", Service("/tile/8/0/1")),
        ("/tile/8/secret/000", Service("/tile/8/secret/000")),
        ("/search?q=a", Service("/search")),
        ("/", Service("/")),
        ("/a.b/../c/@v/list", Unsound("its path has an empty part or dots")),
    ],
)
def test_what_a_path_asks_for(target: str, question: Question) -> None:
    assert ask_go(target) == question


@given(st.text(max_size=60))
def test_no_path_raises(text: str) -> None:
    ask_go(f"/{text}")
    ask_go(f"/a.b/{text}/@v/{text}.zip")
    ask_go(f"/lookup/a.b/{text}@{text}")
