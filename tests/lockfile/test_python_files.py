import pytest

from tests.lockfile.reading import A, error, pins, refused

PACKAGE = '[[package]]\nname = "Foo"\nversion = "1.0"\n'
HASH = f'hash = "sha256:{A}"'
NO_DIGEST = "the lock file has no usable digest of it"

# format, the head it needs
FORMATS = [
    ("poetry.lock", ""),
    ("pdm.lock", ""),
]


@pytest.mark.parametrize(("format_name", "head"), FORMATS)
@pytest.mark.parametrize(
    ("file", "pin"),
    [
        (f'{{file = "foo.whl", {HASH}}}', "foo 1 foo.whl sha256"),
        (f'{{filename = "foo.whl", {HASH}}}', "foo 1 foo.whl sha256"),
        (
            f'{{url = "https://h.example/foo.whl", {HASH}}}',
            "foo 1 foo.whl https://h.example/foo.whl sha256",
        ),
        (f'{{name = "foo.whl", hashes = {{sha256 = "{A}", md5 = "00"}}}}', "foo 1 foo.whl sha256"),
        (f'{{file = "foo.whl", url = "ftp://x/y", {HASH}}}', "foo 1 foo.whl sha256"),
    ],
)
def test_a_file_with_a_digest_is_a_pin(format_name: str, head: str, file: str, pin: str) -> None:
    assert pins(format_name, f"{head}{PACKAGE}files = [{file}]") == [pin]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ("[]", f"1 foo 1: {NO_DIGEST}"),
        ('[{file = "foo.whl"}]', f"1 foo 1: {NO_DIGEST} (foo.whl)"),
        (f"[{{{HASH}}}]", "1 foo 1: a file of it has no name"),
        (f'[{{path = "x/foo.whl", {HASH}}}]', "1 foo 1: local: a file of it is in the workspace"),
    ],
)
def test_a_file_that_cannot_be_pinned_is_named(files: str, said: str) -> None:
    assert refused("poetry.lock", f"{PACKAGE}files = {files}") == [said]


def test_a_hash_that_is_no_text_is_an_error_at_the_package() -> None:
    text = f'\n{PACKAGE}files = [{{file = "a", hashes = {{sha256 = 1}}}}]'
    assert error("poetry.lock", text) == "2:1 cannot read it: 'sha256' is not a text"
