import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.pypi import (
    ask_pypi,
    canonical_name,
    canonical_version,
    version_of_file,
)
from cleanroom.decide.question import Artifact, Metadata, Question, Service, Unsound

_FILES = "/packages/0e/f9/66"


@pytest.mark.parametrize(
    ("target", "question"),
    [
        ("/simple/six/", Metadata("six", "/simple/six/")),
        ("/root/pypi/+simple/Six", Metadata("six", "/root/pypi/+simple/six/")),
        ("/simple/Zope.Interface", Metadata("zope-interface", "/simple/zope-interface/")),
        ("/root/pypi/simple/a_b/", Metadata("a-b", "/root/pypi/simple/a-b/")),
        ("/pypi/Six/json", Metadata("six", "/pypi/Six/json", versions=False)),
        ("/pypi/six/1.0/json", Metadata("six", "/pypi/six/1.0/json", versions=False)),
        ("/simple/", Service("/simple/")),
        ("/", Service("/")),
        ("/simple/-bad-/", Service("/simple/-bad-/")),
        ("/legacy/", Service("/legacy/")),
        ("/simple/../x", Unsound("its path has an empty part or dots")),
    ],
)
def test_what_a_path_of_an_index_asks_for(target: str, question: Question) -> None:
    assert ask_pypi(target) == question


@pytest.mark.parametrize(
    ("file", "name", "version"),
    [
        ("six-1.17.0-py2.py3-none-any.whl", "six", "1.17.0"),
        ("Foo_Bar-1.0-1-cp311-cp311-linux_x86_64.whl", "foo-bar", "1.0"),
        ("zope.interface-5.0.tar.gz", "zope-interface", "5.0"),
        ("six-1.0.zip", "six", "1.0"),
        ("a-b-c-2.0rc1.tar.bz2", "a-b-c", "2.0rc1"),
        ("pip-1.0-py3.6.egg", "pip", "1.0"),
        ("pip-1.0+local.tar.gz", "pip", "1.0+local"),
    ],
)
def test_a_file_says_its_name_and_version(file: str, name: str, version: str) -> None:
    assert ask_pypi(f"{_FILES}/{file}") == Artifact(name, version, file, f"{_FILES}/{file}")
    assert version_of_file(file) == version


@pytest.mark.parametrize(
    "file",
    ["six-1.0-any.whl", "_-1.0-py3-none-any.whl", "noversion.tar.gz", "a-b.zip", "readme.txt"],
)
def test_a_file_without_both_is_no_artifact(file: str) -> None:
    assert ask_pypi(f"{_FILES}/{file}") == Service(f"{_FILES}/{file}")
    assert version_of_file(file) == ""


def test_a_wheels_metadata_is_metadata() -> None:
    path = f"{_FILES}/six-1.17.0-py2.py3-none-any.whl.metadata"
    assert ask_pypi(path) == Metadata("six", path, versions=False, of_file=True)
    assert ask_pypi(f"{_FILES}/x.metadata") == Service(f"{_FILES}/x.metadata")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0", "1.0.0"),
        ("1.0", "v1.0"),
        ("1.0.0-rc.1", "1.0rc1"),
        ("1.0ALPHA", "1.0a0"),
        ("1.0preview2", "1.0rc2"),
        ("1.0-1", "1.0.post1"),
        ("1.0.rev3", "1.0.post3"),
        ("1.0_dev4", "1.0.dev4"),
        ("1.0+ubuntu_1", "1.0+ubuntu.1"),
        ("01.02", "1.2"),
        ("0!1", "1"),
    ],
)
def test_equal_versions_have_one_spelling(one: str, other: str) -> None:
    assert canonical_version(one) == canonical_version(other)


def test_other_versions_have_another() -> None:
    texts = [
        "1",
        "1.1",
        "1!1",
        "1a0",
        "1rc1",
        "1.post1",
        "1.dev1",
        "1+a",
        "2010j-x",
        "",
        "9" * 5000,
    ]
    assert len({canonical_version(text) for text in texts}) == len(texts)


def test_names_are_normalised() -> None:
    assert canonical_name("Foo.-_Bar") == "foo-bar"


@given(st.text(max_size=60))
def test_no_path_raises(text: str) -> None:
    ask_pypi("/" + text)
    ask_pypi(f"/packages/{text}.whl")
    ask_pypi(f"/packages/{text}.tar.gz")
