import pytest

from cleanroom.lockfile import mise
from cleanroom.lockfile.formats import read_lockfile
from cleanroom.lockfile.model import Ecosystem, Limits
from tests.lockfile.reading import A, error, pins, refused

FORMAT = "mise.lock"
ARCHIVE = f'checksum = "sha256:{A}"\nurl = "https://h.example/node-v20.tar.gz"\n'
NODE = "node 20.0.0 node-v20.tar.gz https://h.example/node-v20.tar.gz sha256"


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        (
            '[[tools.node]]\nversion = "20.0.0"\nbackend = "core:node"\n'
            f"[tools.node.platforms.linux-x64]\n{ARCHIVE}",
            NODE,
        ),
        (f'[[tools.node]]\nversion = "20.0.0"\n[tools.node."platforms.x"]\n{ARCHIVE}', NODE),
        (
            f'[tools.node]\nversion = "20"\n[tools.node.checksums]\n"n.tar.gz" = "sha256:{A}"\n',
            "node 20 n.tar.gz sha256",
        ),
        ('[[tools."npm:prettier"]]\nversion = "3.0.0"\n', "prettier 3.0.0 first-seen"),
        (
            '[[tools.black]]\nversion = "24.1"\nbackend = "pipx:black[uvloop=x]"\n',
            "black 24.1 first-seen",
        ),
    ],
)  # fmt: skip
def test_a_tool_is_a_pin_by_archive_or_by_package(text: str, pin: str) -> None:
    assert pins(FORMAT, text) == [pin]


def test_a_package_counts_in_its_own_registry() -> None:
    reading = read_lockfile(FORMAT, '[[tools."npm:prettier"]]\nversion = "3.0.0"\n')
    assert [pin.ecosystem for pin in reading.pins] == [Ecosystem.NPM]


def test_a_tool_without_an_archive_or_a_usable_digest_is_not_pinned() -> None:
    text = (
        '\n[[tools.go]]\nversion = "1"\n[[tools.x]]\nversion = "1"\n[tools.x.checksums]\na = ""\n'
    )
    said = "the lock file has no usable digest of it"
    assert refused(FORMAT, text) == [f"2 go 1: {said}", f"4 x 1: {said}"]


def test_a_tool_whose_header_is_written_oddly_is_on_line_one() -> None:
    assert refused(FORMAT, '\ntools = {go = {version = "1"}}')[0].startswith("1 go")


def test_all_tools_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mise, "LIMITS", Limits(entries=1))
    text = '[[tools.go]]\nversion = "1"\n[[tools."npm:x"]]\nversion = "1"\n'
    assert error(FORMAT, text) == "1:1 cannot read it: it has more than 1 entries"
