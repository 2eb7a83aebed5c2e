"""Lock files are read by a process that can do nothing else, and not for ever."""

import asyncio
import os
import signal
from collections.abc import Mapping

import pytest

from cleanroom.backends.process import Captured
from cleanroom.daemon import lock_reader
from cleanroom.daemon.lock_reader import QUICK, WHOLE, Readers, Share
from cleanroom.errors import Fault
from cleanroom.lockfile.formats import try_to_read
from cleanroom.lockfile.lines import OUT_OF_MEMORY, Outcome, begin
from cleanroom.lockfile.model import LockfileError, Reading
from tests.lockfile.corpus_table import CORPUS, FORMATS, text_of

PINNED = f"foo==1.0 --hash=sha256:{'a' * 64}\n"
SLOW = "lockfileVersion: '9.0'\na:\n" + "- {b: c}\n" * 650_000  # some 4 s
LARGE = "a = [" + "[1]," * 2_000_000 + "]"
TWO = {"a/requirements.txt": PINNED, "b/requirements.txt": "--what"}


def read(texts: Mapping[str, str]) -> Mapping[str, Outcome]:
    """Read them apart."""
    return asyncio.run(Readers().read_apart(texts))


def plain(outcome: Outcome) -> object:
    """Return what can be compared."""
    if isinstance(outcome, LockfileError):
        return outcome.message, outcome.line, outcome.column
    return outcome


def test_every_file_of_the_corpus_is_read_as_it_is_here() -> None:
    files = [path for path in sorted(CORPUS.glob("*/*")) if path.parent.name in FORMATS]
    texts = {f"{path}/{FORMATS[path.parent.name]}": text_of(path) for path in files}
    texts["x/uv.lock"] = "version = 1\nname = '\ud800'"
    texts["requirements.txt"] = "foo @ https://b\u00fccher.example/foo-1.0.zip\n"
    found = read(texts)
    assert len(found) > 60
    for path, text in texts.items():
        assert plain(found[path]) == plain(try_to_read(path, text)), path


def test_one_that_takes_too_long_is_named_and_ends_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lock_reader, "WHOLE", WHOLE._replace(cpu_s=1))
    texts = dict.fromkeys(("a/uv.lock", "c/uv.lock"), "version = 1\n")
    texts["b/pnpm-lock.yaml"] = SLOW
    found = read(texts)
    assert isinstance(found["b/pnpm-lock.yaml"], LockfileError)
    assert "takes more than 1 s of a processor" in found["b/pnpm-lock.yaml"].message
    assert isinstance(found["c/uv.lock"], LockfileError)
    assert "was given up" in found["c/uv.lock"].message
    assert "version" in plain_text(found["a/uv.lock"])


def plain_text(outcome: Outcome) -> str:
    """Return its error or its format's version."""
    return outcome.message if isinstance(outcome, LockfileError) else f"version {outcome.version}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("package-lock.json", "[" + "[]," * 5_000_000 + "[]]"),
        ("uv.lock", LARGE),  # its parser aborts
    ],
)
def test_one_that_needs_too_much_memory_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setattr(lock_reader, "WHOLE", WHOLE._replace(memory=256 << 20))
    found = read({name: text})
    assert plain_text(found[name]) == "cannot read it: it needs more than 256 MiB of memory"


@pytest.mark.parametrize("share", [QUICK._replace(cpu_s=1), QUICK._replace(memory=256 << 20)])
def test_a_quick_look_ends_without_an_answer(monkeypatch: pytest.MonkeyPatch, share: Share) -> None:
    monkeypatch.setattr(lock_reader, "QUICK", share)
    texts = {"pnpm-lock.yaml": SLOW} if share.memory == QUICK.memory else {"uv.lock": LARGE}
    assert asyncio.run(Readers().read_quickly(texts)) is None


def test_a_quick_look_is_enough_for_most() -> None:
    found = asyncio.run(Readers().read_quickly(TWO))
    assert found is not None
    assert {path: plain(each) for path, each in found.items()} == {
        path: plain(each) for path, each in read(TWO).items()
    }


@pytest.mark.parametrize(
    ("status", "said", "why"),
    [
        (1, b"", b"why"),
        (0, b"", b"why"),
        (0, begin("a/requirements.txt"), b""),
        (0, begin("other"), b""),
        (0, b"{}\n", b""),
        (-signal.SIGKILL, b"", b""),
        (-signal.SIGTERM, begin("a/requirements.txt"), b""),
        (-signal.SIGABRT, begin("a/requirements.txt"), b"double free"),
        (OUT_OF_MEMORY, b"", b""),
    ],
)
def test_a_reader_that_fails_otherwise_is_a_fault(status: int, said: bytes, why: bytes) -> None:
    with pytest.raises(Fault, match=f"their reader ended with status {status}"):
        lock_reader._outcomes(TWO, Captured(status, said, why), WHOLE)


def test_half_a_line_is_no_line() -> None:
    begun = begin("a/requirements.txt")
    captured = Captured(OUT_OF_MEMORY, begun + b'{"type":', b"")
    found = lock_reader._outcomes(TWO, captured, WHOLE)
    assert "of memory" in plain_text(found["a/requirements.txt"])


def test_dates_need_no_module_that_the_reader_cannot_load() -> None:
    dates = ("2024-01-01", "07:32:00", "2024-01-01T00:00:00", "2024-01-01T00:00:00.5+01:00")
    text = "lock-version = '1.0'\n" + "".join(f"d{n} = {each}\n" for n, each in enumerate(dates))
    assert plain_text(read({"pylock.toml": text})["pylock.toml"]) == "version 1.0"


def test_the_outcomes_are_those_of_the_readers() -> None:
    found = read(TWO)
    first, second = found["a/requirements.txt"], found["b/requirements.txt"]
    assert isinstance(first, Reading)
    assert [pin.name for pin in first.pins] == ["foo"]
    assert isinstance(second, LockfileError)
    assert read({}) == {}


def test_roots_reader_is_somebody_of_its_own() -> None:
    words = lock_reader._launch(0, 7, QUICK).argv
    given = ("7", str(QUICK.cpu_s), str(QUICK.memory), str(128 << 20))
    who = ("1879048190", "1879048190") if os.geteuid() == 0 else ()
    assert words[words.index("cleanroom.lockfile_main") + 1 :] == (*given, *who)
