import json
from collections.abc import Mapping

import pytest

from tests.lockfile.reading import SRI, error, pins, refused

FORMAT = "package-lock.json"


def lock(packages: dict[str, object], version: object = 3) -> str:
    return json.dumps({"lockfileVersion": version, "packages": {"": {}, **packages}}, indent=1)


def one(entry: Mapping[str, object], key: str = "node_modules/ms") -> str:
    return lock({key: {"version": "2.1.3", "integrity": SRI, **entry}})


@pytest.mark.parametrize(
    ("key", "entry", "pin"),
    [
        ("node_modules/ms", {}, "ms 2.1.3 sha512"),
        ("node_modules/a/node_modules/@s/ms", {}, "@s/ms 2.1.3 sha512"),
        ("node_modules/alias", {"name": "ms"}, "ms 2.1.3 sha512"),
        (
            "node_modules/ms",
            {"resolved": "https://r.example/ms/-/ms-2.1.3.tgz"},
            "ms 2.1.3 https://r.example/ms/-/ms-2.1.3.tgz sha512",
        ),
        (
            "node_modules/ms",
            {"resolved": "https://r.example/own/ms.tgz"},
            "ms 2.1.3 https://r.example/own/ms.tgz sha512",
        ),
        ("node_modules/ms", {"resolved": False}, "ms 2.1.3 sha512"),
    ],
)
def test_an_entry_with_a_digest_is_a_pin(key: str, entry: dict[str, object], pin: str) -> None:
    assert pins(FORMAT, one(entry, key)) == [pin]


NO_DIGEST = "the lock file has no usable digest of it"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"integrity": ""}, NO_DIGEST),
        ({"integrity": "sha512-short"}, NO_DIGEST),
        ({"integrity": "", "resolved": "https://r.example/ms/-/ms-2.1.3.tgz"}, NO_DIGEST),
        (
            {"integrity": "", "resolved": "https://h.example/ms.tgz"},
            "it is a tarball at an address of its own, without a digest",
        ),
        ({"resolved": "git+ssh://git@h.example/ms.git#abc"}, "it comes from a git repository"),
        (
            {"resolved": "https://r.example/evil/-/evil-1.0.0.tgz"},
            "its address is that of another package, evil",
        ),
        ({"link": True, "resolved": "pkg"}, "local: it is a file or folder of the workspace"),
        ({"resolved": "file:ms.tgz"}, "local: it is a file or folder of the workspace"),
        ({"inBundle": True}, "local: it is inside another package"),
    ],
)
def test_what_cannot_be_pinned_is_named_with_its_line(
    entry: dict[str, object], reason: str
) -> None:
    text = one(entry)
    assert pins(FORMAT, text) == []
    assert refused(FORMAT, text) == [f"5 ms 2.1.3: {reason}"]


def test_folders_of_the_workspace_are_local() -> None:
    text = lock({"packages/a": {"name": "a", "version": "1.0.0"}})
    assert refused(FORMAT, text) == ["5 a 1.0.0: local: it is a file or folder of the workspace"]


def test_version_1_nests_and_has_aliases_and_addresses_as_versions() -> None:
    text = json.dumps(
        {
            "lockfileVersion": 1,
            "dependencies": {
                "a": {
                    "version": "1.0.0",
                    "integrity": SRI,
                    "requires": {"b": "2"},
                    "dependencies": {"b": {"version": "npm:@s/c@2.0.0", "integrity": SRI}},
                },
                "d": {"version": "1.0.0", "bundled": True},
                "e": {"version": "github:x/y#abc"},
                "f": {"version": "https://h.example/f.tgz", "integrity": SRI},
                "g": {"version": "file:../g"},
            },
        },
        indent=1,
    )
    url = "https://h.example/f.tgz"
    assert pins(FORMAT, text) == ["a 1.0.0 sha512", "@s/c 2.0.0 sha512", f"f {url} {url} sha512"]
    assert [line.split(":")[0] for line in refused(FORMAT, text)] == [
        "17 d 1.0.0", "21 e github", "28 g file",
    ]  # fmt: skip


def test_an_old_shrinkwrap_says_no_version() -> None:
    text = json.dumps({"dependencies": {"a": {"version": "1.0.0", "integrity": SRI}}})
    assert pins("npm-shrinkwrap.json", text) == ["a 1.0.0 sha512"]


def test_a_chain_without_end_is_refused() -> None:
    inner: dict[str, object] = {"version": "1"}
    for _ in range(80):
        inner = {"version": "1", "dependencies": {"a": inner}}
    text = json.dumps({"lockfileVersion": 1, "dependencies": {"a": inner}})
    assert error(FORMAT, text) == "1:1 cannot read it: its dependencies are too deep"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (lock({}, 4), "1:1 cannot read lockfileVersion '4': 1, 2 and 3 are known"),
        (lock({}, None), "1:1 cannot read lockfileVersion '?': 1, 2 and 3 are known"),
        (lock({"node_modules/a": 1}), "4:1 cannot read it: 'node_modules/a' is not a table"),
        (one({"version": 1}), "5:1 cannot read it: 'version' is not a text"),
        (one({"integrity": 1}), "5:1 cannot read it: 'integrity' is not a text"),
    ],
)
def test_what_is_no_such_file_is_an_error_with_its_place(text: str, said: str) -> None:
    assert error(FORMAT, text) == said
