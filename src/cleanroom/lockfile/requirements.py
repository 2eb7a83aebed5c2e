"""requirements.txt, as pip reads it: pins with `--hash`, options, other files it names.

In: text. Out: a Reading, with the files of `-r` and `-c` in `includes`. Never: a version from
anything but one `==`. In a file without any `--hash` pins are held to what is seen first; with one,
an entry without is not pinned, as pip itself would refuse it.
"""

import re
from typing import Final

from cleanroom.lockfile.collector import LOCAL, NO_DIGEST, Collector, Entry, Held
from cleanroom.lockfile.digests import strong
from cleanroom.lockfile.model import Ecosystem, LockfileError, Reading, Strength
from cleanroom.lockfile.names import file_of, is_web, pypi_file
from cleanroom.lockfile.requirement_lines import FILES, logical_lines

FORMAT: Final = "requirements.txt"
_HASH: Final = re.compile(r" --hash[= ]([A-Za-z0-9]+:[0-9A-Za-z]+)(?= |$)")
_OPTION: Final = re.compile(r" --(?:global-option|install-option|config-settings?)[= ].*")
_KNOWN: Final = re.compile(
    r"(?:-i|-f|--(?:index-url|pypi-url|extra-index-url|find-links|no-index|no-binary|only-binary"
    r"|prefer-binary|require-hashes|pre|trusted-host|use-feature))(?:[= ].*)?",
)
_EDITABLE: Final = re.compile(r"(?:--editable[= ]|-e ?)(.+)")
_NAME: Final = r"([A-Za-z0-9](?:[A-Za-z0-9._-]{0,200}[A-Za-z0-9])?)(?: ?\[[A-Za-z0-9,._ -]*\])?"
_AT: Final = re.compile(rf"{_NAME} ?@ ?([^ ]+)(?: ;.*)?")
_SPECIFIER: Final = r"(?:~=|===?|!=|<=?|>=?) ?[A-Za-z0-9._*+!-]+"
_WANTED: Final = re.compile(
    rf"{_NAME} ?\(? ?({_SPECIFIER}(?: ?, ?{_SPECIFIER})*)? ?,? ?\)? ?(?:;.*)?"
)
_EXACT: Final = re.compile(r"===? ?([A-Za-z0-9._+!-]+)")
_VCS: Final = ("git+", "hg+", "svn+", "bzr+")
_PATH: Final = re.compile(r"(?:file:|\.{0,2}/|.*\.(?:whl|zip|tar\.gz|tgz)$|\.$)")


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError at the first line that pip cannot read."""
    found = Collector(FORMAT, Ecosystem.PYPI)
    lines = list(logical_lines(text))
    hashed = any(_HASH.search(line) for line, _ in lines)
    for line, number in lines:
        _read_line(line, number, found, hashed=hashed)
    return found.reading("")


def _read_line(line: str, number: int, found: Collector, *, hashed: bool) -> None:
    files = FILES.fullmatch(line)
    editable = _EDITABLE.fullmatch(line)
    if files:
        if is_web(files[1]):
            found.unpinned(Entry(files[1], "", number), "it is a list at an address, not read")
        else:
            found.includes.append(files[1])
    elif editable:
        _add_place(Entry(editable[1], "", number), editable[1], (), found)
    elif line.startswith("-"):
        if not _KNOWN.fullmatch(line):
            _refuse(number, "no option of pip begins like this line")
    else:
        _add(line, number, found, hashed=hashed)


def _add(line: str, number: int, found: Collector, *, hashed: bool) -> None:
    digests = strong(_HASH.findall(line))
    bare = _OPTION.sub("", _HASH.sub("", line)).strip()
    at = _AT.fullmatch(bare)
    wanted = _WANTED.fullmatch(bare)
    if at:
        _add_place(Entry(at[1], "", number), at[2], digests, found)
    elif is_web(bare) or bare.startswith(_VCS) or _PATH.match(bare):
        _add_place(Entry(bare, "", number), bare, digests, found)
    elif wanted:
        exact = _EXACT.fullmatch(wanted[2] or "")
        entry = Entry(wanted[1], exact[1] if exact else "", number)
        if exact is None:
            found.unpinned(entry, "it has no exact version ('==')")
        elif hashed:
            found.pin(entry, Held(digests), NO_DIGEST)
        else:
            found.pin(entry, Held(strength=Strength.FIRST_SEEN))
    else:
        _refuse(number, "the line is no requirement")


def _add_place(entry: Entry, place: str, digests: tuple[str, ...], found: Collector) -> None:
    """Note a requirement at an address or a path; `#sha256=…` of an address is its digest."""
    url, _, fragment = place.partition("#")
    if url.startswith(_VCS):
        address, _, reference = url.rpartition("@")
        found.commit(entry, address, reference)
    elif is_web(url):
        said = (part.replace("=", ":", 1) for part in fragment.split("&"))
        file = file_of(url)
        name, version = pypi_file(file)
        held = Held(digests or strong(said), file=file, url=url)
        if name:
            found.pin(Entry(name, version, entry.line), held, NO_DIGEST)
        else:
            found.unpinned(entry, "its address does not end in a file of a release")
    else:
        found.unpinned(entry, LOCAL, local=True)


def _refuse(number: int, why: str) -> None:
    message = f"cannot read it as requirements.txt: {why}"
    raise LockfileError(message, number)
