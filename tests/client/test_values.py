"""Providers: what each reads, and what none of them lets through."""

import os
import sys
from pathlib import Path

import pytest

from cleanroom.client.sources import Source
from cleanroom.client.values import MOST, Surroundings, sealed_value, text_at
from cleanroom.errors import Code, Refused

VALUE = b"a value of 21 letters"
HANG = "import os, time; os.write(1, b'a value'); time.sleep(600)"
LEAVES = "import os, time\nif os.fork() == 0: time.sleep(600)\nos.write(1, b'a value to use')"


def value_of(provider: str, *words: str, around: Surroundings | None = None) -> bytes:
    """Return what a provider finds, from the descriptor that would be handed over."""
    source = Source("s", provider, words)
    descriptor = sealed_value(source, around or Surroundings(os.environ, "/nowhere"))
    try:
        return os.read(descriptor, 2 * MOST)
    finally:
        os.close(descriptor)


def why_not(provider: str, *words: str, around: Surroundings | None = None) -> str:
    """Return why there is no value."""
    with pytest.raises(Refused) as caught:
        value_of(provider, *words, around=around)
    assert caught.value.code is Code.SECRET_UNAVAILABLE
    return caught.value.message


def prints(text: str, *more: str) -> tuple[str, ...]:
    """Return a command that prints a text as it is."""
    return sys.executable, "-c", f"import sys; sys.stdout.write({text!r}); {'; '.join(more)}"


def test_a_variable_is_taken_as_it_is() -> None:
    around = Surroundings({"A": "na\udce9 123456"}, "/nowhere")
    assert value_of("env", "A", around=around) == b"na\xe9 123456"
    assert "is not set" in why_not("env", "B", around=around)


def test_one_line_end_of_a_file_is_no_part_of_the_value(tmp_path: Path) -> None:
    path = tmp_path / "value"
    for end in (b"", b"\n", b"\r\n"):
        path.write_bytes(VALUE + end)
        assert value_of("file", str(path)) == VALUE
    path.write_bytes(VALUE + b"\n\n")
    assert "a line end" in why_not("file", str(path))
    path.write_bytes(b"x" * (MOST + 9))
    assert "more than" in why_not("file", str(path))


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in why_not("file", str(tmp_path / "pipe"))
    assert "not a regular file" in why_not("file", str(tmp_path))
    assert "No such file" in why_not("file", str(tmp_path / "none"))


def test_a_descriptor_is_read_to_its_end_and_no_longer_than_that(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, VALUE + b"\n")
        short = Surroundings({}, "/nowhere", 0.1)
        assert "nothing ended it" in why_not("fd", str(reader), around=short)
    finally:
        os.close(writer)
        os.close(reader)
    (tmp_path / "value").write_bytes(VALUE)
    file = os.open(tmp_path / "value", os.O_RDONLY)
    try:
        assert value_of("fd", str(file)) == VALUE
    finally:
        os.close(file)
    assert f"cannot use the secret 's' (fd {file}): " in why_not("fd", str(file))
    assert "it is not open" in why_not("fd", "9999")


def test_a_program_prints_its_value_and_ends_with_all_it_started() -> None:
    assert value_of("command", *prints("a value to use\n")) == b"a value to use"
    short = Surroundings(os.environ, "/nowhere", 0.5)
    assert "nothing ended it" in why_not("command", sys.executable, "-c", LEAVES, around=short)


def test_a_program_that_hangs_fails_or_prints_too_much_gives_none() -> None:
    short = Surroundings(os.environ, "/nowhere", 0.5)
    assert "within 0.5 s" in why_not("command", sys.executable, "-c", HANG, around=short)
    closes = "import os, time; os.write(1, b'a value of it'); os.close(1); time.sleep(600)"
    assert "within 0.5 s" in why_not("command", sys.executable, "-c", closes, around=short)
    failing = prints("a value to use", "sys.exit(3)")
    assert "it ended with status 3" in why_not("command", *failing)
    endless = "import os\nwhile True: os.write(1, b'x' * 4096)"
    assert "more than" in why_not("command", sys.executable, "-c", endless)
    assert "is not installed" in why_not("command", "no-such-program-here")


def test_a_program_that_cannot_be_started_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF")
    path.chmod(0o755)
    assert "cannot use the secret 's' (command" in why_not("command", str(path))


def test_no_program_of_the_workspace_prints_a_value(tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "pass"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho a value of an attacker\n")
    tool.chmod(0o755)
    around = Surroundings({"PATH": f"{tool.parent}:.:/nowhere"}, str(tmp_path))
    assert "pass is not installed" in why_not("command", "pass", around=around)
    elsewhere = Surroundings({"PATH": f"{tool.parent}:/usr/bin:/bin"}, "/nowhere")
    assert value_of("command", "pass", around=elsewhere) == b"a value of an attacker"


def test_what_a_program_says_beside_its_value_is_not_shown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    value_of("command", *prints("a value to use", "sys.stderr.write('a value to use')"))
    assert capfd.readouterr() == ("", "")


def test_the_keyring_is_asked_by_its_own_program(tmp_path: Path) -> None:
    around = Surroundings({"PATH": str(tmp_path)}, "/nowhere")
    missing = why_not("keyring", "service", "x", around=around)
    assert "secret-tool is not installed (package libsecret-tools" in missing
    tool = tmp_path / "secret-tool"
    tool.write_text('#!/bin/sh\necho "$# $1 $2 $3 of it"\n')
    tool.chmod(0o755)
    assert value_of("keyring", "service", "x", around=around) == b"3 lookup service x of it"


def test_a_provider_of_another_version_is_named() -> None:
    assert "has no provider 'vault'" in why_not("vault", "x")


def test_what_is_handed_over_cannot_be_changed(tmp_path: Path) -> None:
    (tmp_path / "value").write_bytes(VALUE)
    source = Source("s", "file", (str(tmp_path / "value"),))
    descriptor = sealed_value(source, Surroundings({}, "/nowhere"))
    try:
        with pytest.raises(PermissionError):
            os.write(descriptor, b"x")
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


def test_a_command_is_named_without_its_arguments() -> None:
    assert Source("s", "command", ("pass", "show", "x")).text() == "command pass"
    assert Source("s", "keyring", ("service", "x")).text() == "keyring service x"


LOGIN = '{"login": {"a/b~": "a token of mine", "n": 1, "all": {"refresh_token": "rt-456789"}}}'


def test_a_pointer_leads_to_a_text_or_an_object_in_a_file(tmp_path: Path) -> None:
    path = str(tmp_path / "login.json")
    Path(path).write_text(LOGIN + "\n" * 40_000)
    assert value_of("file", path, "/login/a~1b~0") == b"a token of mine"
    assert value_of("file", path, "/login/all") == b'{"refresh_token":"rt-456789"}'
    assert value_of("file", path, "").startswith(b'{"login":{')


@pytest.mark.parametrize(
    ("text", "pointer", "why"),
    [
        (LOGIN, "/login/none", "it has nothing at /login/none"),
        (LOGIN, "/login/n/x", "it has nothing at /login/n/x"),
        (LOGIN, "/login/n", "neither a text nor an object"),
        ('"a"', "", "fewer than 8"),
        ("[1]", "", "at its top is neither"),
        ("{", "/x", "it is no JSON"),
        ("[" * 9999, "/x", "it is no JSON"),
        ('{"x": "a\\nb-456789"}', "/x", "a line end"),
    ],
)
def test_what_a_pointer_does_not_find_is_said(
    tmp_path: Path, text: str, pointer: str, why: str
) -> None:
    path = tmp_path / "login.json"
    path.write_text(text)
    assert why in why_not("file", str(path), pointer)


def test_a_value_is_judged_by_its_kind(tmp_path: Path) -> None:
    (tmp_path / "value").write_text("no colon in it")
    source = Source("s", "file", (str(tmp_path / "value"),))
    around = Surroundings({}, "/nowhere")
    for kind, why in (("basic", "user:password"), ("made-up", "knows no kind 'made-up'")):
        with pytest.raises(Refused, match=why):
            sealed_value(source, around, kind)


def test_what_is_no_secret_is_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "login.json"
    assert text_at(str(path), "/a") == ""
    path.write_text('{"a": {"b": "text"}, "c": null}')
    assert text_at(str(path), "/a/b") == "text"
    assert text_at(str(path), "/c") == ""
