import hashlib
from base64 import b64encode

import pytest

from cleanroom.lockfile.digests import go_sum, hexadecimal, sri, strong, without_weak


def integrity(algorithm: str, content: bytes = b"x") -> str:
    return f"{algorithm}-{b64encode(hashlib.new(algorithm, content).digest()).decode()}"


def digest(algorithm: str, content: bytes = b"x") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@pytest.mark.parametrize("algorithm", ["sha512", "sha384", "sha256", "sha1"])
def test_an_integrity_is_the_digest_that_hashlib_makes(algorithm: str) -> None:
    assert sri(integrity(algorithm)) == (digest(algorithm),)


def test_of_several_the_strongest_algorithm_counts_and_any_of_its_digests() -> None:
    text = f"{integrity('sha1')} {integrity('sha512', b'b')}  {integrity('sha512')}?options"
    assert sri(text) == tuple(sorted((digest("sha512"), digest("sha512", b"b"))))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha512-",
        "sha512-AAAA",
        "md5-1B2M2Y8AsgTpgAmY7PhCfg==",
        "sha512",
        "sha1-!!!!",
        "sha256-A",
    ],
)
def test_a_malformed_or_broken_digest_is_none(text: str) -> None:
    assert sri(text) == ()


def test_a_hexadecimal_digest_has_its_length_and_alphabet() -> None:
    assert hexadecimal("sha256", "AB" * 32) == ("sha256:" + "ab" * 32,)
    assert hexadecimal("sha256", "ab") == ()
    assert hexadecimal("sha256", "zz" * 32) == ()
    assert hexadecimal("md5", "ab" * 16) == ()


def test_python_formats_know_no_weak_digest() -> None:
    assert strong([digest("sha256"), digest("sha1"), "md5:00", "", "x"]) == (digest("sha256"),)


def test_a_weak_digest_counts_only_alone() -> None:
    assert without_weak((digest("sha1"), digest("sha256"))) == (digest("sha256"),)
    assert without_weak((digest("sha1"),)) == (digest("sha1"),)


def test_a_go_digest_is_of_kind_one() -> None:
    good = "h1:" + b64encode(bytes(32)).decode()
    assert go_sum(good) == (good,)
    assert go_sum("h2:" + good[3:]) == ()
