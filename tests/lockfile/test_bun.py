import pytest

from tests.lockfile.reading import SRI, error, pins, refused

FORMAT = "bun.lock"


def lock(*entries: str, version: str = "1") -> str:
    lines = "".join(f'  "k{number}": {entry},\n' for number, entry in enumerate(entries))
    return f'{{\n "lockfileVersion": {version}, // of bun\n "packages": {{\n{lines} }},\n}}\n'


@pytest.mark.parametrize(
    ("entry", "pin"),
    [
        (f'["ms@2.1.3", "", {{}}, "{SRI}"]', "ms 2.1.3 sha512"),
        (f'["@s/ms@2.1.3", {{}}, "{SRI}"]', "@s/ms 2.1.3 sha512"),
        (
            f'["ms@2.1.3", "https://r.example/ms/-/ms-2.1.3.tgz", {{}}, "{SRI}"]',
            "ms 2.1.3 https://r.example/ms/-/ms-2.1.3.tgz sha512",
        ),
        (f'["ms@2.1.3", "https://r.example/", {{}}, "{SRI}"]', "ms 2.1.3 sha512"),
        (
            f'["ms@https://h.example/ms.tgz", {{}}, "{SRI}"]',
            "ms https://h.example/ms.tgz https://h.example/ms.tgz sha512",
        ),
    ],
)
def test_an_entry_with_a_digest_is_a_pin(entry: str, pin: str) -> None:
    assert pins(FORMAT, lock(entry)) == [pin]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ('["ms@2.1.3"]', "the lock file has no usable digest of it"),
        ('["ms@2.1.3", "", {}]', "the lock file has no usable digest of it"),
        (
            '["ms@https://h.example/x", {}]',
            "it is a tarball at an address of its own, without a digest",
        ),
        ('["ms@github:a/b#ab12", {}, "a-b-ab12"]', "it comes from a git repository"),
        ('["ms@workspace:x"]', "local: it is a file or folder of the workspace"),
        ('["ms@root:", {}]', "local: it is a file or folder of the workspace"),
    ],
)
def test_what_cannot_be_pinned_is_named_with_its_line(entry: str, reason: str) -> None:
    [said] = refused(FORMAT, lock(entry))
    assert said.startswith("4 ms ")
    assert said.endswith(f": {reason}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (lock(version="7"), "1:1 cannot read lockfileVersion '7': 0 and 1 are known"),
        (lock("[]"), "4:1 cannot read it as bun.lock: an entry does not begin with 'NAME@…'"),
        (lock('["ms"]'), "4:1 cannot read it as bun.lock: an entry does not begin with 'NAME@…'"),
        (lock('[{}, "a@1"]'), "4:1 cannot read it as bun.lock: an entry does not begin with"),
        (lock("{}"), "1:1 cannot read it as bun.lock: an entry does not begin with 'NAME@…'"),
    ],
)
def test_what_is_no_such_file_is_an_error_with_its_place(text: str, said: str) -> None:
    assert error(FORMAT, text).startswith(said)
