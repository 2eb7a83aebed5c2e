import pytest

from cleanroom.lockfile.formats import read_lockfile
from tests.lockfile.reading import A, error, pins, refused

FORMAT = "requirements.txt"
HASH = f"--hash=sha256:{A}"


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        (f"Foo==1.0 {HASH}", "foo 1 sha256"),
        (f"foo == 1.0 \\\n    {HASH} \\\r\n --hash=sha256:{'b' * 64}", "foo 1 sha256,sha256"),
        (f"foo[a, b]==1.0; python_version < '3' {HASH}", "foo 1 sha256"),
        (f"foo (==1.0) {HASH} # via bar", "foo 1 sha256"),
        (f"foo===1.0+x {HASH} --global-option='-x'", "foo 1+x sha256"),
        ("foo==1.0", "foo 1 first-seen"),
        (
            f"foo @ https://h.example/foo-1.0.tar.gz {HASH}",
            "foo 1 foo-1.0.tar.gz https://h.example/foo-1.0.tar.gz sha256",
        ),
        (
            f"https://h.example/foo-1.0.tar.gz#sha256={A}&egg=x",
            "foo 1 foo-1.0.tar.gz https://h.example/foo-1.0.tar.gz sha256",
        ),
    ],
)  # fmt: skip
def test_one_exact_version_is_a_pin(text: str, pin: str) -> None:
    assert pins(FORMAT, text) == [pin]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("foo", "1 foo : it has no exact version ('==')"),
        ("\nfoo>=1.0", "2 foo : it has no exact version ('==')"),
        ("foo==1.*", "1 foo : it has no exact version ('==')"),
        ("foo==1.0,>0.5", "1 foo : it has no exact version ('==')"),
        (f"a==1 {HASH}\nfoo==1.0", "2 foo 1: the lock file has no usable digest of it"),
        ("foo==1.0 --hash=sha256:12", "1 foo 1: the lock file has no usable digest of it"),
        ("foo==1.0 --hash=md5:12", "1 foo 1: the lock file has no usable digest of it"),
        ("-e git+https://h.example/x#egg=x", "1 git+https://h.example/x#egg=x : it comes from"),
        ("foo @ git+https://h.example/x", "1 foo : it comes from a git repository"),
        ("-e .", "1 . : local: it is a file or folder of the workspace"),
        ("./x", "1 ./x : local: it is a file or folder of the workspace"),
        ("x/foo-1.0.whl", "1 x/foo-1.0.whl : local: it is a file or folder of the workspace"),
        ("https://h.example/foo-1.0.zip", "1 foo 1: the lock file has no usable digest of it"),
        (f"foo @ https://h.example/x {HASH}", "1 foo : its address does not end in a file of"),
        ("-r https://h.example/x", "1 https://h.example/x : it is a list at an address"),
    ],
)
def test_what_cannot_be_pinned_is_named_with_its_line(text: str, said: str) -> None:
    assert refused(FORMAT, text)[-1].startswith(said)


def test_other_files_are_named_and_options_of_the_index_pin_nothing() -> None:
    text = "-r a.txt\n-cb.txt\n--requirement=c.txt\n--constraint d.txt # x\n-i https://x\n--pre\n"
    reading = read_lockfile(FORMAT, text)
    assert reading.includes == ("a.txt", "b.txt", "c.txt", "d.txt")
    assert (reading.pins, reading.unpinned) == ((), ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a==1\n-foo", "2:1 cannot read it as requirements.txt: no option of pip begins"),
        ("a==1\n\n==1", "3:1 cannot read it as requirements.txt: the line is no requirement"),
        ("a==1 b", "1:1 cannot read it as requirements.txt: the line is no requirement"),
        ("a==1#x", "1:1 cannot read it as requirements.txt: the line is no requirement"),
    ],
)
def test_a_line_that_pip_cannot_read_is_an_error(text: str, said: str) -> None:
    assert error(FORMAT, text).startswith(said)


def test_a_comment_ends_a_line_that_goes_on_as_it_does_for_pip() -> None:
    text = f"foo==1.0 \\\n  # why\n    {HASH}\n"
    assert error(FORMAT, text).startswith("3:1 ")


def test_a_line_that_goes_on_at_the_end_ends() -> None:
    assert pins(FORMAT, "foo==1.0 \\") == ["foo 1 first-seen"]
    assert pins(FORMAT, "# only this\n   \n") == []
