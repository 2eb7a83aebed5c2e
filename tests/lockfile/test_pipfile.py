import json

import pytest

from tests.lockfile.reading import A, error, pins, refused

FORMAT = "Pipfile.lock"


def lock(entry: object) -> str:
    root = {"_meta": {"pipfile-spec": 6}, "default": {"foo": entry}, "develop": {}}
    return json.dumps(root, indent=1)


def test_a_version_with_digests_is_a_pin() -> None:
    entry = {"version": "==1.0", "hashes": [f"sha256:{A}", f"sha256:{'b' * 64}"]}
    assert pins(FORMAT, lock(entry)) == ["foo 1 sha256,sha256"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"version": "==1.0"}, "1: the lock file has no usable digest of it"),
        ({"version": "*"}, "*: it has no exact version ('==')"),
        ({"git": "https://h.example/x", "ref": "ab"}, ": it comes from a git repository"),
        ({"path": ".", "editable": True}, ": local: it is a file or folder of the workspace"),
        ({"file": "x.whl"}, ": local: it is a file or folder of the workspace"),
    ],
)
def test_what_cannot_be_pinned_is_named_with_its_line(entry: object, said: str) -> None:
    assert refused(FORMAT, lock(entry)) == [f"6 foo {said}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "1:1 cannot read pipfile-spec '?': 6 is known"),
        (lock(1), "5:1 cannot read it: 'foo' is not a table"),
        (lock({"hashes": [1]}), "6:1 cannot read it: 'hashes' is not a list of texts"),
    ],
)
def test_what_is_no_such_file_is_an_error_with_its_place(text: str, said: str) -> None:
    assert error(FORMAT, text) == said
