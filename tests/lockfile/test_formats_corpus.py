"""Every file of the corpus: counted by hand, and read a second time by other means."""

import pytest

from cleanroom.lockfile.formats import read_lockfile
from cleanroom.lockfile.model import Ecosystem, LockfileError, Pin, Reading, Strength
from tests.conftest import ROOT
from tests.lockfile.corpus_table import BROKEN, CORPUS, FORMATS, ROWS, Row, text_of
from tests.lockfile.independent import fixed_in

# pip, packaging and the format itself refuse these; what can be pinned in them is read all the same
ONLY_BY_HAND = {
    "requirements/osv-scalibr__example.txt",  # names files that are not there
    "requirements/osv-scalibr__loop.txt",
    "requirements/osv-scalibr__other-loop.txt",
    "requirements/osv-scalibr__multiline_and_comments.txt",  # a digest of three characters
    "pylock/trivy__pylock.toml",  # packages without a file
}
# The second reading takes an address' word for the name; the key says another one.
MISNAMED = {"something-i-made-up"}


def packages(reading: Reading) -> list[Pin]:
    """Return the pins but those of git repositories."""
    return [pin for pin in reading.pins if pin.ecosystem is not Ecosystem.GIT]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.file)
def test_a_file_of_the_corpus_says_what_was_counted_in_it(row: Row) -> None:
    reading = read_lockfile(FORMATS[row.folder], text_of(row.path))
    local = [each for each in reading.unpinned if each.local]
    counted = (
        reading.version,
        len(packages(reading)),
        len(reading.unpinned) - len(local),
        len(local),
    )
    assert counted == (row.version, row.pins, row.refused, row.local)
    commits = [pin.version for pin in reading.pins if pin.ecosystem is Ecosystem.GIT]
    assert len(commits) == row.commits
    assert all(commit in text_of(row.path) for commit in commits)
    lines = text_of(row.path).count("\n") + 1
    places = [pin.line for pin in reading.pins] + [each.line for each in reading.unpinned]
    assert all(1 <= line <= lines for line in places)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.file not in ONLY_BY_HAND], ids=lambda row: row.file
)
def test_a_second_reading_finds_the_same_names_versions_and_digests(row: Row) -> None:
    reading = read_lockfile(FORMATS[row.folder], text_of(row.path))
    pins = {
        (pin.name, pin.version, digest)
        for pin in packages(reading)
        for digest in pin.digests or [""]
    }
    expected = fixed_in(row.folder, row.path)
    assert pins == {each for each in expected if each[0] not in MISNAMED}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.file)
def test_line_ends_of_windows_and_a_byte_order_mark_change_nothing(row: Row) -> None:
    name, text = FORMATS[row.folder], text_of(row.path).removeprefix("\ufeff")
    text = text.replace("\r\n", "\n")
    expected = read_lockfile(name, text)
    for other in (text.replace("\n", "\r\n"), "\ufeff" + text):
        assert read_lockfile(name, other) == expected


@pytest.mark.parametrize(("file", "line"), BROKEN.items())
def test_a_broken_file_is_refused_at_its_line(file: str, line: int) -> None:
    with pytest.raises(LockfileError) as refused:
        read_lockfile(FORMATS[file.split("/")[0]], text_of(CORPUS / file))
    assert refused.value.line == line
    assert refused.value.message.startswith("cannot ")


def test_no_file_of_the_corpus_is_left_out() -> None:
    there = {
        str(path.relative_to(CORPUS))
        for path in CORPUS.rglob("*")
        if path.is_file() and path.parent != CORPUS
    }
    assert there == {row.file for row in ROWS} | set(BROKEN)


def test_only_yarn_berry_and_lists_without_hashes_are_held_to_what_is_seen_first() -> None:
    weak = set()
    for row in ROWS:
        reading = read_lockfile(FORMATS[row.folder], text_of(row.path))
        for pin in reading.pins:
            assert bool(pin.digests) is (pin.strength is Strength.LOCKFILE)
            if pin.strength is Strength.FIRST_SEEN:
                weak.add(row.folder)
    assert weak == {"yarn-berry", "requirements"}


def test_no_credential_of_an_address_comes_back() -> None:
    for row in ROWS:
        reading = read_lockfile(FORMATS[row.folder], text_of(row.path))
        assert "dummy-token" not in repr(reading), row.file


# --- the page ------------------------------------------------------------------------------------


def line_of(folder: str) -> str:
    """Return what docs/lockfiles.md says of the corpus files of one folder."""
    rows = [row for row in ROWS if row.folder == folder]
    broken = sum(file.split("/")[0] == folder for file in BROKEN)
    pins = [
        pin.strength
        for row in rows
        for pin in packages(read_lockfile(FORMATS[folder], text_of(row.path)))
    ]
    counts = (
        len(rows),
        broken,
        pins.count(Strength.LOCKFILE),
        pins.count(Strength.FIRST_SEEN),
        sum(row.refused for row in rows),
        sum(row.commits for row in rows),
        sum(row.local for row in rows),
    )
    return f"| {' | '.join([folder, *map(str, counts)])} |"


@pytest.mark.parametrize("folder", FORMATS)
def test_the_page_of_lock_files_has_the_corpus_as_it_is(folder: str) -> None:
    page = (ROOT / "docs" / "lockfiles.md").read_text().splitlines()
    assert line_of(folder) in page
