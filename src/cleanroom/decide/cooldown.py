"""Which versions of a package are too young, by the registry's own dates.

In: a registry's metadata as bytes, a moment, the least age. Out: the metadata without what is too
young, or one artifact's date. Never: a version whose date is not known passes; a repair of metadata
that is not what it should be: UnreadableError; an object for each value that a registry sent.

SECURITY: who writes a page may fill it with millions of tiny values. What is not judged stays bytes
(`msgspec.Raw`, a view), and of what is judged only so much is read as the largest pages have: a
page costs about what it and its copy weigh.
"""

import codecs
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from io import BytesIO
from typing import Final, TypeVar

import msgspec

from cleanroom.decide.pypi import canonical_version, version_of_file

MAX_DOCUMENT: Final = 64 * 1024 * 1024  # bytes; the largest pages of public registries have 30 MiB

NPM_FORM: Final = "application/json"  # the short form has no dates
PYPI_FORM: Final = "application/vnd.pypi.simple.v1+json"
PYPI_HTML: Final = "text/html"

_MOST: Final = 65_536  # versions or files of one page
_MOST_OBJECTS: Final = 400_000  # in all manifests of a page; a real one has one in 100 bytes
_CHUNK: Final = 1 << 20

_Kind = TypeVar("_Kind")
Raw = msgspec.Raw
Page = dict[str, Raw]  # only what is there
_NULL: Final = Raw(b"null")
_EMPTY: Final = Raw(b"{}")
_NO: Final = (b"null", b"false", b'""')


class UnreadableError(Exception):
    """The registry sent something else than its metadata. The text says what."""


@dataclass(frozen=True, slots=True)
class Age:
    """What is old enough: published before `newest_s`, in seconds since 1970, or excepted."""

    newest_s: float
    excepted: Collection[str] = ()  # versions, in their one spelling

    def hides(self, version: str, published: str) -> bool:
        """Tell whether a version may not be seen yet."""
        if version in self.excepted:
            return False
        seconds = _seconds(published)
        return seconds is None or seconds > self.newest_s


class _Object(msgspec.Struct, gc=False):
    """An object, whatever it has."""


def _shape(*names: str) -> type[msgspec.Struct]:
    """Return an object of which these are read, and nothing is kept of others."""
    fields = [(f"field_{n}", Raw, None) for n in range(len(names))]
    renamed = {f"field_{n}": name for n, name in enumerate(names)}
    # Not for the collector: there may be very many, and none of them has a cycle.
    return msgspec.defstruct("Page", fields, rename=renamed, gc=False)


_NPM: Final = _shape(
    "_id", "_rev", "_cached", "_contentLength", "name", "description", "dist-tags", "versions",
    "time", "modified", "created", "cached", "author", "bugs", "contributors", "deprecated",
    "homepage", "keywords", "license", "maintainers", "readme", "readmeFilename", "repository",
    "users", "error",
)  # fmt: skip
_PYPI: Final = _shape(
    "meta", "name", "versions", "files", "alternate-locations", "project-status", "_last-serial"
)
_FILE: Final = _shape("filename", "url", "hashes", "requires-python", "yanked", "upload-time")
_DATED: Final = _shape("filename", "upload-time")
_CRATE: Final = _shape("vers", "pubtime")
_MOMENT: Final = _shape("Time")
_HASHES: Final = _shape("sha256")


def hide_young_npm(document: bytes, age: Age) -> bytes:
    """Return a package's page without versions that are too young, `latest` being an older one."""
    page = _read(document, _NPM)
    versions, times = _manifests(page), _times(page)
    dates = {each: _text(times.get(each, _NULL)) for each in versions}
    kept = {each: raw for each, raw in versions.items() if not age.hides(each, dates[each])}
    listed = _pairs(page, "dist-tags", _MOST)
    tags: dict[str, object] = {tag: raw for tag, raw in listed.items() if _text(raw) in kept}
    if "latest" not in tags and kept:
        tags["latest"] = max(kept, key=lambda each: ("-" not in each, dates[each]))
    gone = versions.keys() - kept.keys()
    left = {each: raw for each, raw in times.items() if each not in gone}
    return msgspec.json.encode({**page, "versions": kept, "dist-tags": tags, "time": left})


def hide_young_pypi(document: bytes, age: Age) -> bytes:
    """Return a project's page (the simple API's JSON form) without files that are too young."""
    page = _read(document, _PYPI)
    left, kept = set(), []
    for each, raw in zip(_files(page), _decode(page["files"], list[Raw]), strict=True):
        version = canonical_version(version_of_file(_text_of(each, "filename")))
        if not age.hides(version, _text_of(each, "upload-time")):
            left.add(version)
            kept.append(raw)
    changed: dict[str, object] = {**page, "files": kept}
    if "versions" in page:
        changed["versions"] = [each for each in _versions(page) if canonical_version(each) in left]
    return msgspec.json.encode(changed)


def pypi_as_html(document: bytes) -> bytes:
    """Return the same page in the HTML form, for clients that know no other."""
    page = _read(document, _PYPI)
    name = escape(_text_of(page, "name"))
    html = BytesIO()
    html.write(_line(f"<!DOCTYPE html><html><head><title>{name}</title></head><body>"))
    for each in _files(page):
        html.write(_line(_anchor(each)))
    html.write(_line("</body></html>"))
    return html.getvalue()


def npm_date(document: bytes, version: str) -> float | None:
    """Return when a version was published, in seconds since 1970; None if the page does not say."""
    times = _times(_read(document, _NPM))
    return _seconds(_text_of(times, version))


def pypi_date(document: bytes, file: str) -> float | None:
    """Return when a file was published."""
    raw = _read(document, _PYPI).get("files", _NULL)
    _bound(bytes(raw).count(b"{"), 4 * _MOST, "files")
    # Nearly none is the one: most are told from it without being read.
    wanted = msgspec.json.encode(file)
    for name, uploaded in map(msgspec.structs.astuple, _decode(raw, list[_DATED])):  # type: ignore[valid-type]
        spelt = bytes(name or _NULL)
        if spelt == wanted or (b"\\" in spelt and _text(name) == file):
            return _seconds(_text(uploaded or _NULL))
    return None


def hide_young_cargo(document: bytes, age: Age) -> bytes:
    """Return a crate's page of the index, one line a version, without what is too young."""
    kept = BytesIO()
    for line, version, published in _crates(document):
        if not age.hides(version, published):
            kept.write(line + b"\n")
    return kept.getvalue()


def cargo_date(document: bytes, version: str) -> float | None:
    """Return when a version was published."""
    crates = _crates(document)
    return next((_seconds(time) for _, listed, time in crates if listed == version), None)


def go_date(document: bytes) -> float | None:
    """Return the date of the one version that the page is about: that of its commit."""
    return _seconds(_text(_read(document, _MOMENT).get("Time", _NULL)))


def date_of(manager: str, document: bytes, version: str, file: str) -> float | None:
    """Return an artifact's date by its manager's page, in seconds since 1970."""
    match manager:
        case "npm":
            return npm_date(document, version)
        case "pypi":
            return pypi_date(document, file)
        case "cargo":
            return cargo_date(document, version)
        case _:
            return go_date(document)


HIDE: Final[Mapping[str, Callable[[bytes, Age], bytes]]] = {
    "npm": hide_young_npm,
    "pypi": hide_young_pypi,
    "cargo": hide_young_cargo,
}


def _crates(document: bytes) -> Iterator[tuple[bytes, str, str]]:
    """Return the lines, each with its version and date."""
    _bound(document.count(b"\n"), _MOST, "lines")
    for line in BytesIO(document):
        if line.strip():
            crate = _read(line, _CRATE)
            yield line.rstrip(b"\n"), _text_of(crate, "vers"), _text_of(crate, "pubtime")


def _anchor(file: Page) -> str:
    hashes = file.get("hashes", _NULL)
    is_object = _begins(hashes, b"{")
    sha256 = _text_of(_present(_decode(hashes, _HASHES)), "sha256") if is_object else ""
    url = _text_of(file, "url") + (f"#sha256={sha256}" if sha256 else "")
    attributes = [f'href="{escape(url)}"']
    if needs := _text_of(file, "requires-python"):
        attributes.append(f'data-requires-python="{escape(needs)}"')
    if bytes(file.get("yanked", _NULL)) not in _NO:
        attributes.append(f'data-yanked="{escape(_text_of(file, "yanked"))}"')
    return f"<a {' '.join(attributes)}>{escape(_text_of(file, 'filename'))}</a><br>"


def _line(text: str) -> bytes:
    return text.encode("utf-8", "replace") + b"\n"


# --- what is read of a page, and how much ----------------------------------------------------


def _manifests(page: Page) -> Page:
    raw = page.get("versions", _EMPTY)
    _bound(bytes(raw).count(b"{"), _MOST_OBJECTS, "objects")
    # Read twice: only if each is an object, each was counted.
    _decode(raw, dict[str, _Object])
    return _decode(raw, dict[str, Raw])


def _times(page: Page) -> Page:
    return _pairs(page, "time", 3 * _MOST)  # a time of day has two colons more


def _pairs(page: Page, key: str, most: int) -> Page:
    raw = page.get(key, _EMPTY)
    _bound(bytes(raw).count(b":"), most, f"pairs in '{key}'")
    return _decode(raw, dict[str, Raw])


def _files(page: Page) -> Iterator[Page]:
    raw = page.get("files", _NULL)
    _bound(bytes(raw).count(b"{"), 4 * _MOST, "files")  # each has up to three objects more
    return map(_present, _decode(raw, list[_FILE]))  # type: ignore[valid-type]  # msgspec made it


def _versions(page: Page) -> list[str]:
    raw = page["versions"]
    _bound(bytes(raw).count(b","), _MOST, "versions")
    return _decode(raw, list[str])


def _bound(count: int, most: int, what: str) -> None:
    if count > most:
        message = f"has more than {most} {what}"
        raise UnreadableError(message)


def _read(document: bytes, shape: type[msgspec.Struct]) -> Page:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(document), _CHUNK):
            decoder.decode(document[start : start + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        message = "is not UTF-8"
        raise UnreadableError(message) from error
    return _present(_decode(document, shape))


def _present(found: msgspec.Struct) -> Page:
    values = zip(found.__struct_encode_fields__, msgspec.structs.astuple(found), strict=True)
    return {name: value for name, value in values if value is not None}


def _decode(document: bytes | Raw, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = "is not JSON as its registry writes it"
        raise UnreadableError(message) from error


def _text_of(page: Page, key: str) -> str:
    return _text(page.get(key, _NULL))


def _text(value: Raw) -> str:
    """Return a text, "" for anything else that a registry may have put in its place."""
    return _decode(value, str) if _begins(value, b'"') else ""


def _begins(value: Raw, mark: bytes) -> bool:
    return memoryview(value)[:1] == mark


def _seconds(published: str) -> float | None:
    try:
        moment = datetime.fromisoformat(published)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
