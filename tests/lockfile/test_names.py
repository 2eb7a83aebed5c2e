import pytest
from packaging.utils import canonicalize_name, canonicalize_version

from cleanroom.lockfile import names

VERSIONS = [
    "1.0", "1", "1.0.0", "0", "0.0", "1.10", "v2.1", "1!2.0", "0!2", "1.0a1", "1.0-alpha.2", "1b",
    "1.0.c3", "1.0pre", "1.0-preview-4", "1.0.post1", "1.0-5", "1.0.r6", "1.0rev", "1.0.dev3",
    "1.0.dev", "1.0a1.post2.dev3", "1.0+local.1", "1.0+LOCAL_007-x", "2024.8.30", "  1.2 ",
]  # fmt: skip


@pytest.mark.parametrize("text", VERSIONS)
def test_a_version_has_the_form_that_packaging_gives_it(text: str) -> None:
    assert names.pypi_version(text) == canonicalize_version(text)


@pytest.mark.parametrize("text", ["", "x", "1.x", "1..2", "1" * 5000, "1.0+", "1.0 2"])
def test_what_is_no_version_stays_as_it_is(text: str) -> None:
    assert names.pypi_version(text) == text


@pytest.mark.parametrize("text", ["Flask", "a__b", "A.-_b", "x"])
def test_a_name_has_the_form_that_packaging_gives_it(text: str) -> None:
    assert names.pypi_name(text) == canonicalize_name(text)


@pytest.mark.parametrize(
    ("file", "release"),
    [
        ("Foo_Bar-1.0-py3-none-any.whl", ("foo-bar", "1")),
        ("foo-1.0-1b-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", ("foo", "1")),
        ("foo-bar-1.0.tar.gz", ("foo-bar", "1")),
        ("foo-1.0rc1.zip", ("foo", "1rc1")),
        ("foo.tar.gz", ("", "")),
        ("foo-1.0.exe", ("", "")),
    ],
)
def test_a_file_says_which_release_it_is_of(file: str, release: tuple[str, str]) -> None:
    assert names.pypi_file(file) == release


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("https://r.example/ms/-/ms-2.1.3.tgz", "ms"),
        ("https://r.example/a/b/@scope/ms/-/ms-2.1.3.tgz", "@scope/ms"),
        ("http://r.example/@scope%2fms/-/ms-2.1.3.tgz?x=1", "@scope/ms"),
        ("https://r.example/ms-2.1.3.tgz", ""),
        ("https://r.example/ms/-/ms-2.1.3.zip", ""),
        ("ftp://r.example/ms/-/ms-2.1.3.tgz", ""),
        ("https://[x/ms/-/ms-2.1.3.tgz", ""),
    ],
)
def test_an_address_of_an_npm_registry_says_its_package(url: str, package: str) -> None:
    assert names.registry_package(url) == package


def test_parts_of_an_address() -> None:
    assert names.host_of("https://User:x@R.Example.:8443/a") == "r.example"
    assert names.host_of("file:x") == names.host_of("https://[x") == ""
    assert names.file_of("https://r.example/a/b%2B1.whl#x") == "b+1.whl"
    assert names.file_of("https://[x") == ""
    assert names.is_web("http://a")
    assert not names.is_web("git+https://a")


NAMES = ("foo", "foo-bar-2", "Foo", "foo_bar", "foo--bar", "-foo", "", "a b")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("version", ["1", "1.10.2", "1.0", "01.2", "1.2rc1", "", "1 2", "1.2\n"])
def test_what_is_plain_at_a_glance_is_canonical(name: str, version: str) -> None:
    is_plain = name in NAMES[:2] and version in ("1", "1.10.2")
    assert names.is_pypi_plain(name, version) is is_plain
    if is_plain:
        assert (names.pypi_name(name), names.pypi_version(version)) == (name, version)
