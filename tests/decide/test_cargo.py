import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.cargo import ask_cargo, canonical_crate, index_path
from cleanroom.decide.question import Artifact, Metadata, Question, Service, Unsound

_CONFIG = "/config.json"


@pytest.mark.parametrize(
    ("target", "question"),
    [
        (_CONFIG, Metadata("", _CONFIG, versions=False, of_registry=True)),
        (
            "/git/index/config.json",
            Metadata("", "/git/index/config.json", versions=False, of_registry=True),
        ),
        ("/1/a", Metadata("a", "/1/a")),
        ("/2/ab", Metadata("ab", "/2/ab")),
        ("/3/l/log", Metadata("log", "/3/l/log")),
        ("/se/rd/serde", Metadata("serde", "/se/rd/serde")),
        ("/my/index/se/rd/serde", Metadata("serde", "/my/index/se/rd/serde")),
        # The index has one spelling; clients that write another one share its answer.
        ("/In/FL/Inflector?x", Metadata("inflector", "/in/fl/inflector")),
        (
            "/crates/serde/1.0.0/download",
            Artifact("serde", "1.0.0", "serde-1.0.0.crate", "/crates/serde/1.0.0/download"),
        ),
        (
            "/api/v1/crates/Inflector/0.11.4-rc.1+b/download",
            Artifact(
                "inflector",
                "0.11.4-rc.1+b",
                "Inflector-0.11.4-rc.1+b.crate",
                "/api/v1/crates/Inflector/0.11.4-rc.1+b/download",
            ),
        ),
        (
            "/crates/a-b2/a-b2-1.0.0-2.0.0.crate",
            Artifact(
                "a-b2",
                "1.0.0-2.0.0",
                "a-b2-1.0.0-2.0.0.crate",
                "/crates/a-b2/a-b2-1.0.0-2.0.0.crate",
            ),
        ),
        ("/a-1-2.0.0.crate", Artifact("a-1", "2.0.0", "a-1-2.0.0.crate", "/a-1-2.0.0.crate")),
        ("/a/1.0/download", Service("/a/1.0/download")),
        ("/a!/1.0.0/download", Service("/a!/1.0.0/download")),
        (f"/a/1.0.0-{'9' * 300}/download", Service(f"/a/1.0.0-{'9' * 300}/download")),
        (f"/a-1.0.0-{'9' * 300}.crate", Service(f"/a-1.0.0-{'9' * 300}.crate")),
        (f"/{'a' * 65}-1.0.0.crate", Service(f"/{'a' * 65}-1.0.0.crate")),
        ("/se/rd/other", Service("/se/rd/other")),
        ("/serde", Service("/serde")),
        ("/1/ab", Service("/1/ab")),
        ("/api/v1/crates", Service("/api/v1/crates")),
        ("/api/v1/crates?q=serde", Service("/api/v1/crates")),
        ("/api/v1/crates/new", Service("/api/v1/crates/new")),
        ("/api/v1/crates/serde/1.0.0/yank", Service("/api/v1/crates/serde/1.0.0/yank")),
        ("/api/v1/crates/serde/owners", Service("/api/v1/crates/serde/owners")),
        ("/index/info/refs?service=git-upload-pack", Service("/index/info/refs")),
        ("/", Service("/")),
        ("/se/../config.json", Unsound("its path has an empty part or dots")),
    ],
)
def test_what_a_path_asks_for(target: str, question: Question) -> None:
    assert ask_cargo(target) == question


@pytest.mark.parametrize(
    ("name", "path"),
    [("A", "1/a"), ("ab", "2/ab"), ("abC", "3/a/abc"), ("serde_json", "se/rd/serde_json")],
)
def test_where_the_index_has_a_crate(name: str, path: str) -> None:
    assert index_path(name) == path
    assert ask_cargo(f"/{path}") == Metadata(canonical_crate(name), f"/{path}")


@given(st.text(max_size=60))
def test_no_path_raises(text: str) -> None:
    ask_cargo(f"/{text}")
    ask_cargo(f"/{text}-1.0.0.crate")
