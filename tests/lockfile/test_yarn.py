import pytest

from tests.lockfile.reading import SRI, error, pins, refused

FORMAT = "yarn.lock"
SHA1 = "ab" * 20
URL = "https://r.example/ms/-/ms-2.1.3.tgz"


def block(key: str = "ms@^2.0.0", **fields: str) -> str:
    lines = [f"  {name} {value}" for name, value in {"version": '"2.1.3"', **fields}.items()]
    return "\n".join(["# yarn lockfile v1", "", f"{key}:", *lines, ""])


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        (block(resolved=f'"{URL}#{SHA1}"'), f"ms 2.1.3 {URL} sha1"),
        (block(resolved=f'"{URL}#{SHA1}"', integrity=SRI), f"ms 2.1.3 {URL} sha512"),
        (block(integrity=SRI), "ms 2.1.3 sha512"),
        (block('"a@npm:ms@^2.0.0"', resolved=f'"{URL}"', integrity=SRI), f"ms 2.1.3 {URL} sha512"),
        (block('"a@npm:ms@^2.0.0"', integrity=SRI), "ms 2.1.3 sha512"),
        (block('ms@^2.0.0, "ms@>= 1"', resolved=f'"{URL}#{SHA1}"'), f"ms 2.1.3 {URL} sha1"),
        (
            block('"ms@https://h.example/ms.tgz"', resolved=f'"https://h.example/ms.tgz#{SHA1}"'),
            "ms 2.1.3 https://h.example/ms.tgz sha1",
        ),
    ],
)
def test_a_block_with_a_digest_is_a_pin(text: str, pin: str) -> None:
    assert pins(FORMAT, text) == [pin]
    assert pins(FORMAT, text.replace("\n", "\r\n")) == [pin]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (block(), "the lock file has no usable digest of it"),
        (block(resolved=f'"{URL}"'), "the lock file has no usable digest of it"),
        (
            block(resolved='"https://h.example/x/tar.gz/abc"'),
            "it is a tarball at an address of its own, without a digest",
        ),
        (block(resolved='"https://h.example/x#abab"'), "it comes from a git repository"),
        (block(resolved='"git+ssh://h.example/x#abab"'), "it comes from a git repository"),
        (block('"ms@file:./x"'), "local: it is a file or folder of the workspace"),
        (block(resolved='"file:./x.tgz#ab"'), "local: it is a file or folder of the workspace"),
    ],
)
def test_what_cannot_be_pinned_is_named_with_its_line(text: str, reason: str) -> None:
    assert pins(FORMAT, text) == []
    assert refused(FORMAT, text) == [f"3 ms 2.1.3: {reason}"]


def test_dependencies_are_no_fields() -> None:
    text = block(integrity=SRI) + '  dependencies:\n    a "1"\n\nb:\n  version "1"\n'
    assert pins(FORMAT, text) == ["ms 2.1.3 sha512"]
    assert refused(FORMAT, text) == ["9 b 1: the lock file has no usable digest of it"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  a b", "1:1 cannot read it as yarn.lock: it begins with an indented line"),
        ("a@1:\n   b c", "2:1 cannot read it as yarn.lock: the line is indented by neither"),
        ("<<<<<<< HEAD", "1:1 cannot read it as yarn.lock: the line is no 'NAME@RANGE:'"),
        ("a@1:\n  b c d", "2:1 cannot read it as yarn.lock: the line is no 'KEY VALUE'"),
        ("a@1:\n  b c\n  b d", "3:1 cannot read it as yarn.lock: 'b' is there twice"),
        ('"a@\\q":', "1:1 cannot read it as yarn.lock: a quoted text is broken"),
        ("a@:", "1:1 cannot read it as yarn.lock: a key ends in '@'"),
    ],
)
def test_a_line_that_yarn_does_not_write_is_an_error(text: str, said: str) -> None:
    assert error(FORMAT, text).startswith(said)


def test_an_empty_file_pins_nothing() -> None:
    assert pins(FORMAT, "# yarn lockfile v1\n\n\n") == []
