"""Lock files are read by a process that can do nothing else, and not for ever."""

import asyncio
import os
import signal
from collections.abc import Mapping

import pytest

from cleanroom.backends.process import Captured
from cleanroom.daemon import lock_reader
from cleanroom.daemon.lock_reader import read_apart
from cleanroom.errors import Fault
from cleanroom.lockfile.formats import try_to_read
from cleanroom.lockfile.lines import OUT_OF_MEMORY, Outcome, begin
from cleanroom.lockfile.model import LockfileError, Reading
from tests.lockfile.corpus_table import CORPUS, FORMATS, text_of

PINNED = f"foo==1.0 --hash=sha256:{'a' * 64}\n"
TWO = {"a/requirements.txt": PINNED, "b/requirements.txt": "--what"}


def read(texts: Mapping[str, str]) -> Mapping[str, Outcome]:
    """Read them apart."""
    return asyncio.run(read_apart(texts))


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
    monkeypatch.setattr(lock_reader, "CPU_S", 1)
    texts = dict.fromkeys(("a/uv.lock", "c/uv.lock"), "version = 1\n")
    texts["b/uv.lock"] = "a = [" + "[[1],[1]]," * 1_500_000 + "]"
    found = read(texts)
    assert isinstance(found["b/uv.lock"], LockfileError)
    assert "takes more than 1 s of a processor" in found["b/uv.lock"].message
    assert isinstance(found["c/uv.lock"], LockfileError)
    assert "was given up" in found["c/uv.lock"].message
    assert "version" in plain_text(found["a/uv.lock"])


def plain_text(outcome: Outcome) -> str:
    """Return its error or its format's version."""
    return outcome.message if isinstance(outcome, LockfileError) else f"version {outcome.version}"


def test_one_that_needs_too_much_memory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_reader, "MEMORY", 256 << 20)
    found = read({"package-lock.json": "[" + "[]," * 5_000_000 + "[]]"})
    assert "of memory" in plain_text(found["package-lock.json"])


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (1, b""),
        (0, b""),
        (0, begin("a/requirements.txt")),
        (0, begin("other")),
        (0, b"{}\n"),
        (-signal.SIGKILL, b""),
        (-signal.SIGTERM, begin("a/requirements.txt")),
        (OUT_OF_MEMORY, b""),
    ],
)
def test_a_reader_that_fails_otherwise_is_a_fault(status: int, said: bytes) -> None:
    with pytest.raises(Fault, match=f"their reader ended with status {status}"):
        lock_reader._outcomes(TWO, Captured(status, said, b"why"))


def test_half_a_line_is_no_line() -> None:
    begun = begin("a/requirements.txt")
    found = lock_reader._outcomes(TWO, Captured(OUT_OF_MEMORY, begun + b'{"type":', b""))
    assert "of memory" in plain_text(found["a/requirements.txt"])


def test_the_outcomes_are_those_of_the_readers() -> None:
    found = read(TWO)
    first, second = found["a/requirements.txt"], found["b/requirements.txt"]
    assert isinstance(first, Reading)
    assert [pin.name for pin in first.pins] == ["foo"]
    assert isinstance(second, LockfileError)
    assert read({}) == {}


def test_roots_reader_is_somebody_of_its_own() -> None:
    words = lock_reader._launch(0).argv
    who = ("1879048190", "1879048190") if os.geteuid() == 0 else ()
    assert words[words.index("cleanroom.lockfile_main") + 1 :] == who
