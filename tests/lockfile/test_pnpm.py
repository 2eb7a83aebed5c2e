import pytest

from tests.lockfile.reading import SRI, error, pins, refused

FORMAT = "pnpm-lock.yaml"


def lock(version: str, key: str, resolution: str, more: str = "") -> str:
    entry = f"  '{key}':\n    resolution: {{{resolution}}}\n{more}"
    return f"lockfileVersion: {version}\n\npackages:\n\n{entry}"


INTEGRITY = f"integrity: {SRI}"


@pytest.mark.parametrize(
    ("version", "key", "pin"),
    [
        ("5.3", "/ms/2.1.3", "ms 2.1.3 sha512"),
        ("5.4", "/@s/ms/2.1.3_react@18.0.0", "@s/ms 2.1.3 sha512"),
        ("5.4", "r.example/ms/2.1.3", "ms 2.1.3 sha512"),
        ("'6.0'", "/ms@2.1.3", "ms 2.1.3 sha512"),
        ("'6.0'", "/@s/ms@2.1.3(react@18.0.0)(x@1)", "@s/ms 2.1.3 sha512"),
        ("'9.0'", "@s/ms@2.1.3", "@s/ms 2.1.3 sha512"),
    ],
)
def test_a_key_says_name_and_version(version: str, key: str, pin: str) -> None:
    assert pins(FORMAT, lock(version, key, INTEGRITY)) == [pin]


def test_own_words_of_an_entry_count_more_than_its_key() -> None:
    text = lock("5.4", "h.example/x/1", INTEGRITY, "    name: ms\n    version: 2.1.3\n")
    assert pins(FORMAT, text) == ["ms 2.1.3 sha512"]


def test_an_address_of_a_registry_is_kept() -> None:
    url = "https://r.example/ms/-/ms-2.1.3.tgz"
    text = lock("'9.0'", "ms@2.1.3", f"{INTEGRITY}, tarball: {url}")
    assert pins(FORMAT, text) == [f"ms 2.1.3 {url} sha512"]


@pytest.mark.parametrize(
    ("resolution", "reason"),
    [
        ("type: git, repo: x, commit: ab", "it comes from a git repository"),
        ("type: directory, directory: x", "local: it is a file or folder of the workspace"),
        (f"{INTEGRITY}, tarball: 'file:x'", "local: it is a file or folder of the workspace"),
        ("type: binary", "its resolution is a 'binary', not a package of a registry"),
        (
            "tarball: 'https://h.example/x'",
            "it is a tarball at an address of its own, without a digest",
        ),
        ("integrity: sha512-x", "the lock file has no usable digest of it"),
    ],
)
def test_what_cannot_be_pinned_is_named_with_its_line(resolution: str, reason: str) -> None:
    text = lock("'9.0'", "ms@2.1.3", resolution)
    assert refused(FORMAT, text) == [f"5 ms 2.1.3: {reason}"]


def test_each_document_counts() -> None:
    first = lock("'9.0'", "a@1.0.0", INTEGRITY)
    second = lock("'9.0'", "b@1.0.0", INTEGRITY)
    assert pins(FORMAT, f"---\n{first}---\n{second}---\n") == ["a 1.0.0 sha512", "b 1.0.0 sha512"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1 cannot read it as pnpm-lock.yaml: it has no lockfileVersion"),
        ("\nlockfileVersion: '4.0'", "2:1 cannot read lockfileVersion '4.0': 5.3 to 9.0 are known"),
        ("packages: {}", "1:1 cannot read lockfileVersion '': 5.3 to 9.0 are known"),
        (lock("'9.0'", "a@1", "") + "  b: 1\n", "7:1 cannot read it: 'b' is not a table"),
        ("lockfileVersion: '9.0'\npackages: [a]", "2:1 cannot read it: 'packages' is not a table"),
    ],
)
def test_what_is_no_such_file_is_an_error_with_its_place(text: str, said: str) -> None:
    assert error(FORMAT, text) == said


def test_a_file_without_packages_pins_nothing() -> None:
    assert pins(FORMAT, "lockfileVersion: '9.0'\npackages:\n") == []
