"""Which versions of a package are too young, by the registry's own dates.

In: a registry's metadata as bytes, a moment, the least age. Out: the metadata without what is too
young, or one artifact's date. Never: a version whose date is not known passes; a repair of metadata
that is not what it should be: UnreadableError.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final

import msgspec

from cleanroom.decide.pypi import canonical_version, version_of_file

MAX_DOCUMENT: Final = 64 * 1024 * 1024  # bytes; the largest pages of public registries have 30 MiB

NPM_FORM: Final = "application/json"  # the short form has no dates
PYPI_FORM: Final = "application/vnd.pypi.simple.v1+json"
PYPI_HTML: Final = "text/html"

Page = dict[str, object]


class UnreadableError(Exception):
    """The registry sent something else than its metadata. The text says what."""


@dataclass(frozen=True, slots=True)
class Age:
    """What is old enough: published before `newest_s`, in seconds since 1970, or excepted."""

    newest_s: float
    excepted: Collection[str] = ()  # versions, in their one spelling

    def hides(self, version: str, published: object) -> bool:
        """Tell whether a version may not be seen yet."""
        if version in self.excepted:
            return False
        seconds = _seconds(published)
        return seconds is None or seconds > self.newest_s


def hide_young_npm(document: bytes, age: Age) -> bytes:
    """Return a package's page without versions that are too young, `latest` being an older one."""
    page = _read(document)
    versions, times = _mapping(page, "versions"), _mapping(page, "time")
    kept = {each: value for each, value in versions.items() if not age.hides(each, times.get(each))}
    tags = {tag: each for tag, each in _mapping(page, "dist-tags").items() if _text(each) in kept}
    if "latest" not in tags and kept:
        tags["latest"] = max(kept, key=lambda each: ("-" not in each, _text(times.get(each))))
    gone = versions.keys() - kept.keys()
    page["versions"], page["dist-tags"] = kept, tags
    page["time"] = {each: value for each, value in times.items() if each not in gone}
    return msgspec.json.encode(page)


def hide_young_pypi(document: bytes, age: Age) -> bytes:
    """Return a project's page (the simple API's JSON form) without files that are too young."""
    page = _read(document)
    files = _files(page)
    kept = [each for each in files if not _is_young(each, age)]
    page["files"] = kept
    if "versions" in page:
        left = {_version_of(each) for each in kept}
        listed = _texts(page, "versions")
        page["versions"] = [each for each in listed if canonical_version(each) in left]
    return msgspec.json.encode(page)


def pypi_as_html(document: bytes) -> bytes:
    """Return the same page in the HTML form, for clients that know no other."""
    page = _read(document)
    name = escape(_text(page.get("name")))
    lines = [f"<!DOCTYPE html><html><head><title>{name}</title></head><body>"]
    lines += map(_anchor, _files(page))
    return "\n".join([*lines, "</body></html>", ""]).encode("utf-8", "replace")


def npm_date(document: bytes, version: str) -> float | None:
    """Return when a version was published, in seconds since 1970; None if the page does not say."""
    return _seconds(_mapping(_read(document), "time").get(version))


def pypi_date(document: bytes, file: str) -> float | None:
    """Return when a file was published."""
    found = (each for each in _files(_read(document)) if each.get("filename") == file)
    return next((_seconds(each.get("upload-time")) for each in found), None)


def hide_young_cargo(document: bytes, age: Age) -> bytes:
    """Return a crate's page of the index, one line a version, without what is too young."""
    kept = [line for line, each in _lines(document) if not age.hides(*_crate_of(each))]
    return b"".join(line + b"\n" for line in kept)


def cargo_date(document: bytes, version: str) -> float | None:
    """Return when a version was published."""
    crates = (_crate_of(each) for _, each in _lines(document))
    return next((_seconds(time) for listed, time in crates if listed == version), None)


def go_date(document: bytes) -> float | None:
    """Return the date of the one version that the page is about: that of its commit."""
    return _seconds(_read(document).get("Time"))


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


def _lines(document: bytes) -> Iterator[tuple[bytes, Page]]:
    for line in document.split(b"\n"):
        if line.strip():
            yield line, _read(line)


def _crate_of(line: Page) -> tuple[str, object]:
    return _text(line.get("vers")), line.get("pubtime")


def _is_young(file: Page, age: Age) -> bool:
    return age.hides(_version_of(file), file.get("upload-time"))


def _version_of(file: Page) -> str:
    return canonical_version(version_of_file(_text(file.get("filename"))))


def _anchor(file: Page) -> str:
    hashes = file.get("hashes")
    sha256 = _text(hashes.get("sha256")) if isinstance(hashes, dict) else ""
    url = _text(file.get("url")) + (f"#sha256={sha256}" if sha256 else "")
    attributes = [f'href="{escape(url)}"']
    if needs := _text(file.get("requires-python")):
        attributes.append(f'data-requires-python="{escape(needs)}"')
    if yanked := file.get("yanked"):
        attributes.append(f'data-yanked="{escape(_text(yanked))}"')
    return f"<a {' '.join(attributes)}>{escape(_text(file.get('filename')))}</a><br>"


def _read(document: bytes) -> Page:
    try:
        page = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = "is not JSON"
        raise UnreadableError(message) from error
    if not isinstance(page, dict):
        message = "is no object"
        raise UnreadableError(message)
    return page


def _mapping(page: Page, key: str) -> Page:
    value = page.get(key, {})
    if not isinstance(value, dict):
        message = f"has no object '{key}'"
        raise UnreadableError(message)
    return value


def _files(page: Page) -> list[Page]:
    files = page.get("files")
    if not isinstance(files, list) or not all(isinstance(each, dict) for each in files):
        message = "has no list 'files'"
        raise UnreadableError(message)
    return files


def _texts(page: Page, key: str) -> list[str]:
    value = page[key]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        message = f"has no list of texts '{key}'"
        raise UnreadableError(message)
    return value


def _text(value: object) -> str:
    """Return a text, "" for anything else that a registry may have put in its place."""
    return value if isinstance(value, str) else ""


def _seconds(published: object) -> float | None:
    if not isinstance(published, str):
        return None
    try:
        moment = datetime.fromisoformat(published)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
