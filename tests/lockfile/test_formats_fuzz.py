"""Lock files are data of the repository, so hostile: whatever they say, the answer is quick, and
pins or one declared error."""

import re
import sys
import time
from random import Random

import pytest

from cleanroom.lockfile.formats import READERS, read_lockfile
from cleanroom.lockfile.model import LockfileError
from tests.lockfile.corpus_table import BROKEN, CORPUS, FORMATS, ROWS, text_of
from tests.seeds import NIGHTLY, chance

CASES = 1_000_000 if NIGHTLY else 2_000
# What a small file may cost of the processor; a tracer (coverage) makes every line slower.
BUDGET_S = 0.1 if sys.gettrace() is None else 1.5
LONGEST = 6_000  # characters of a mutated file: what is slow on it is slow by its form
MISE = (
    '[[tools.node]]\nversion = "20.0.0"\nbackend = "core:node"\n'
    '[tools.node."platforms.linux-x64"]\nchecksum = "sha256:00"\nurl = "https://h.example/n"\n'
)
PIECES = [
    *'\n\r\t "\'{}[]():,#@=\\/-&*!|>%<~^.0',
    "\0", "\ufeff", "\ud800", "\u202e", "é", "  ", "\n  ", "\n\n", "---\n", "a" * 300, "9" * 5000,
    "[" * 500, "{" * 500, '{"a":' * 500, "- " * 500, "&a [*a]", "<<: *a",
    "!!python/name:os.system ", "# ", "/*", "*/", "//", '"""', "null", "true", "-1e999",
    "1979-05-27", "__proto__", "file:",
    "git+ssh://", "https://", "npm:", "workspace:", "sha512-", "--hash=sha256:", "-r ",
    "node_modules/",
]  # fmt: skip
WORDS = re.compile(r'"[^"\n]*"|[^\s"{}\[\],:=]+')


def seeds() -> list[tuple[str, str]]:
    """Return (format, text) of the whole corpus, broken files included."""
    files = [row.file for row in ROWS] + list(BROKEN)
    texts = [(FORMATS[file.split("/")[0]], text_of(CORPUS / file)[:LONGEST]) for file in files]
    return [*texts, ("mise.lock", MISE)]


def exchanged(random: Random, text: str) -> str:
    """Return the text with one of its words in the place of another: its form stays whole."""
    words = [found.span() for found in WORDS.finditer(text)]
    if len(words) < 2:
        return text
    (at, end), (start, stop) = random.sample(words, 2)
    return text[:at] + text[start:stop] + text[end:]


def mutated(random: Random, text: str) -> str:
    """Return the text with some pieces put in, cut out, doubled or exchanged."""
    for _ in range(random.choice([1, 1, 2, 3, 6])):
        at, end = sorted(random.randint(0, len(text)) for _ in range(2))
        end = min(end, at + random.choice([1, 8, 200]))
        match random.randrange(5):
            case 0:
                text = text[:at] + random.choice(PIECES) + text[at:]
            case 4:
                text = exchanged(random, text)
            case 1:
                text = text[:at] + text[end:]
            case 2:
                text = text[:end] + text[at:end] * random.choice([1, 1, 40]) + text[end:]
            case _:
                text = text[:at] + random.choice(PIECES) + text[end:]
    return text


def read(format_name: str, text: str) -> str:
    """Return the message of the declared error, "" for none."""
    try:
        read_lockfile(format_name, text)
    except LockfileError as error:
        message, placed = error.message, error.line >= 1 and error.column >= 1
    else:
        return ""
    assert placed
    return message


def judge(format_name: str, text: str) -> str:
    """Read a text; it must be quick: a slow first time (of another process, a collection) is tried
    again, and the best of three counts."""
    said, spent = "", []
    for _ in range(3):
        began = time.process_time()
        said = read(format_name, text)
        spent.append(time.process_time() - began)
        if spent[-1] <= BUDGET_S:
            break
    assert min(spent) <= BUDGET_S, f"{format_name} took {min(spent):.2f} s: {text[:200]!r}"
    return said


@pytest.mark.slow
@pytest.mark.timeout(0 if NIGHTLY else 300)
def test_a_mutated_lock_file_is_read_or_refused_by_its_own_error_in_little_time() -> None:
    random = chance()
    every = seeds()
    refused = 0
    for number in range(CASES):
        format_name, text = every[number % len(every)]
        message = judge(format_name, mutated(random, text))
        assert not message or message.startswith("cannot "), message
        refused += bool(message)
    assert CASES // 10 < refused < CASES  # some break, some do not: the cases are worth reading


# each beginning again and again: what grows with the square of the length shows
HOSTILE = [
    "[", "{", '{"a":', '"', "\\", "/*", "a.", "[[", "a = {b=", "9", "\n", "- ", "? ", "&a ", "a:\n",
    " ", "a", '"\\', ",}", "a==1,", "a ", "(", "a, ",
    "a@1:\n", "-r a\n", "--hash=sha256:0 ", "a.b=1\n",
    "[a]\n", "[[package]]\n", '"a": {', "a@", "h1:", "a [", ";",
]  # fmt: skip
LENGTH = 10_000


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("format_name", sorted(READERS))
def test_a_long_monotonous_text_costs_no_more_than_its_length(format_name: str) -> None:
    for piece in HOSTILE:
        judge(format_name, piece * (LENGTH // len(piece)))
        judge(format_name, piece * (LENGTH // len(piece)) + "=1")
