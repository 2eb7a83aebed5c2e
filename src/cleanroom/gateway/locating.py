"""A file that a mirror does not have where the public host has it is looked for on its own page.

In: a Want that its mirror answered with 404. Out: where the mirror's page of the project has a file
of that name, "" if nowhere. Never: a judgement of that place; it is one as a redirect's is.

Lock files of Python name the place of each file at the public host. Products with another layout
have the same file elsewhere, and say so on the page that clients without a lock file read.
"""

from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urljoin

from cleanroom.decide.artifact import Grant
from cleanroom.decide.links import LinkFinder
from cleanroom.decide.mirror import Mirror
from cleanroom.decide.model import Deny
from cleanroom.gateway.source import Answer, Fetching, Served, Source, Want
from cleanroom.policy.sites import split_site

_NOT_FOUND: Final = 404
_OK: Final = 200
_HTML: Final = "text/html"
_MOST_PAGES: Final = 3
_MOST_BYTES: Final = 64 * 1024 * 1024


def may_be_elsewhere(want: Want, status: int) -> bool:
    """Tell whether an answer may only mean that the mirror has its files at places of its own."""
    grant = want.grant
    is_file = (grant.manager, grant.kind) == ("pypi", "artifact")
    return status == _NOT_FOUND and is_file and want.mirror is not None and want.stored is None


class Locating:
    """Reads the pages one after the other until one has it; implements Taker, and Cancellable."""

    def __init__(self, source: Source, want: Want, done: Callable[[str], None]) -> None:
        self._source = source
        self._want = want
        self._done = done
        self._pages = list(_pages(want))[:_MOST_PAGES]
        self._asking: Fetching | None = None
        self._base = ""
        self._finder = LinkFinder(want.grant.file)
        self._is_page = False
        self._size = 0
        self._next()

    def cancel(self) -> None:
        """Implement Cancellable."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def begun(self, answer: Answer) -> None:
        """Implement Taker."""
        self._is_page = answer.status == _OK

    def more(self, data: bytes) -> None:
        """Implement Taker."""
        if not self._is_page:  # or no longer: what came with the last piece is handed over too
            return
        self._size += len(data)
        self._finder.feed(data)
        if self._finder.found or self._size > _MOST_BYTES:
            self._is_page = False
            self.cancel()
            self._next()

    def ended(self, _served: Served) -> None:
        """Implement Taker."""
        self._next()

    def failed(self, _deny: Deny) -> None:
        """Implement Taker."""
        self._next()

    def _next(self) -> None:
        if self._finder.found or not self._pages:
            self._done(_joined(self._base, self._finder.found))
            return
        mirror, page = self._pages.pop(0)
        self._base = f"https://{mirror.label}{mirror.path_of(page.grant.path)}"
        self._finder, self._size = LinkFinder(self._want.grant.file), 0
        self._asking = self._source.fetch(page, self)


def _joined(base: str, address: str) -> str:
    try:
        return urljoin(base, address) if address else ""
    except ValueError:  # [ and ] that are no IPv6 address
        return ""


def _pages(want: Want) -> Iterator[tuple[Mirror, Want]]:
    """Yield the project's page of each site that has a mirror; the index is another host mostly."""
    grant, seen = want.grant, set()
    for site in sorted(grant.sites, key=lambda each: split_site(each)[0] == want.host):
        host, prefix = split_site(site)
        mirror = want.mirrors.get(host)
        path = f"{prefix}/simple/{grant.name}/"
        if mirror is None or (mirror.label, mirror.path_of(path)) in seen:
            continue
        seen.add((mirror.label, mirror.path_of(path)))
        page = Grant("pypi", "metadata", path, name=grant.name, sites=grant.sites, prefix=prefix)
        yield (
            mirror,
            Want(
                want.sandbox_id,
                host,
                page,
                accept=_HTML,
                credential=want.credential,
                mirrors=want.mirrors,
            ),
        )
