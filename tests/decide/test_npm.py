import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.npm import ask_npm
from cleanroom.decide.question import Artifact, Metadata, Question, Service, Unsound


@pytest.mark.parametrize(
    ("target", "question"),
    [
        ("/ms", Metadata("ms", "/ms")),
        ("/JSONStream", Metadata("JSONStream", "/JSONStream")),
        ("/@types/node", Metadata("@types/node", "/@types%2fnode")),
        ("/@types%2fnode", Metadata("@types/node", "/@types%2fnode")),
        ("/@types%2Fnode?x=1", Metadata("@types/node", "/@types%2fnode")),
        ("/ms/2.1.3", Metadata("ms", "/ms/2.1.3", versions=False)),
        ("/@types/node/latest", Metadata("@types/node", "/@types/node/latest", versions=False)),
        (
            "/-/package/ms/dist-tags",
            Metadata("ms", "/-/package/ms/dist-tags", versions=False),
        ),
        (
            "/-/package/@types%2fnode/dist-tags",
            Metadata("@types/node", "/-/package/@types%2fnode/dist-tags", versions=False),
        ),
        ("/ms/-/ms-2.1.3.tgz", Artifact("ms", "2.1.3", "ms-2.1.3.tgz", "/ms/-/ms-2.1.3.tgz")),
        (
            "/@types/node/-/node-20.1.0-rc.1.tgz",
            Artifact(
                "@types/node",
                "20.1.0-rc.1",
                "node-20.1.0-rc.1.tgz",
                "/@types/node/-/node-20.1.0-rc.1.tgz",
            ),
        ),
        (
            "/@a/b/-/@a/b-1.0.0.tgz",
            Artifact("@a/b", "1.0.0", "b-1.0.0.tgz", "/@a/b/-/@a/b-1.0.0.tgz"),
        ),
        # A file that is not named as the registry names them has no version to be pinned by.
        ("/ms/-/evil-9.tgz", Artifact("ms", "", "evil-9.tgz", "/ms/-/evil-9.tgz")),
        ("/ms/-/ms-.tgz", Artifact("ms", "", "ms-.tgz", "/ms/-/ms-.tgz")),
        ("/ms/evil-9.tgz", Artifact("ms", "", "evil-9.tgz", "/ms/evil-9.tgz")),
        ("/ms/evil-9.TGZ", Artifact("ms", "", "evil-9.TGZ", "/ms/evil-9.TGZ")),
        ("/@a/b/b-1.0.0.tar.gz", Artifact("@a/b", "", "b-1.0.0.tar.gz", "/@a/b/b-1.0.0.tar.gz")),
        ("/ms/-/", Service("/ms/-/")),
        ("/ms/-/a/b/ms-1.0.0.tgz", Service("/ms/-/a/b/ms-1.0.0.tgz")),
        ("/-/npm/v1/security/audits", Service("/-/npm/v1/security/audits")),
        ("/-/v1/search?text=a", Service("/-/v1/search")),
        ("/-/package//dist-tags", Unsound("its path has an empty part or dots")),
        ("/-/package/.a/dist-tags", Service("/-/package/.a/dist-tags")),
        ("/", Service("/")),
        ("/@types", Service("/@types")),
        ("/.hidden", Service("/.hidden")),
        ("/a/b/c/d", Service("/a/b/c/d")),
        ("/ms/", Service("/ms/")),
    ],
)
def test_what_a_path_asks_for(target: str, question: Question) -> None:
    assert ask_npm(target) == question


def test_a_version_of_any_length_is_only_text() -> None:
    long = ask_npm(f"/ms/-/ms-{'9' * 1500}.tgz")
    assert isinstance(long, Artifact)
    assert long.version == ""


@given(st.text(max_size=60))
def test_no_path_raises(text: str) -> None:
    ask_npm("/" + text)
    ask_npm("/@a/b/-/" + text)
