"""An artifact under a cooldown waits until its date is known, from the registry's own page.

In: a Want, the registry's metadata. Out: the errand begins, or is refused. Never: an artifact whose
date nobody says; a date of a page that has only one version.
"""

from collections import Counter, OrderedDict
from dataclasses import replace
from typing import Final

from cleanroom.decide.artifact import Grant
from cleanroom.decide.cargo import index_path
from cleanroom.decide.cooldown import (
    MAX_DOCUMENT,
    NPM_FORM,
    PYPI_FORM,
    UnreadableError,
    date_of,
)
from cleanroom.decide.model import Deny
from cleanroom.decide.pypi import canonical_name
from cleanroom.errors import Code
from cleanroom.gateway.errand import Errand
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.source import Answer, Fetching, Served, Source, Taker, Want
from cleanroom.policy.sites import split_site

_REMEMBERED: Final = 20_000  # dates
_READERS: Final = 16  # pages that are read for one sandbox at once, each in memory
_DAY_S: Final = 86_400

# Who may say it, of which artifact, and to whom.
_Key = tuple[tuple[str, ...], str, str, str, str]


class Dates:
    """When artifacts were published, as far as it was asked."""

    def __init__(self, reactor: Reactor, source: Source) -> None:
        self.reactor = reactor
        self.source = source
        self._known: OrderedDict[_Key, float] = OrderedDict()
        self._reading: dict[tuple[str, str], Wait] = {}
        self._counts: Counter[str] = Counter()  # of those, by sandbox
        self._line: dict[Wait, None] = {}

    def may_read(self, wait: "Wait") -> bool:
        """Tell whether it may read its page now; else `read` is called when others have ended.

        SECURITY: many that wait for one page would have it in memory as many times.
        """
        if wait.page in self._reading or self._counts[wait.page[0]] >= _READERS:
            self._line[wait] = None
            return False
        self._line.pop(wait, None)
        self._reading[wait.page] = wait
        self._counts[wait.page[0]] += 1
        return True

    def has_read(self, wait: "Wait") -> None:
        """Let others read. Idempotent."""
        self._line.pop(wait, None)
        if self._reading.get(wait.page) is not wait:
            return
        sandbox_id = wait.page[0]
        del self._reading[wait.page]
        self._counts[sandbox_id] -= 1
        if not self._counts[sandbox_id]:
            del self._counts[sandbox_id]
        for each in [each for each in self._line if each.page[0] == sandbox_id]:
            if self.may_read(each):
                self.reactor.soon(each.read)

    def known(self, want: Want) -> float | None:
        """Return when it was published, if that was asked before."""
        return self._known.get(_key(want))

    def learn(self, want: Want, document: bytes) -> float | None:
        """Read the date of one artifact from its registry's page. Raises UnreadableError."""
        grant = want.grant
        date = date_of(grant.manager, document, grant.version, grant.file)
        if date is not None:
            self._known[_key(want)] = date
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return date


class Wait:
    """Implements Fetching for an artifact whose date is not known yet, and Taker of the page."""

    def __init__(self, dates: Dates, want: Want, taker: Taker, errand: Errand) -> None:
        self._dates = dates
        self._want = want
        self._taker = taker
        self._errand = errand
        own = f"{want.host}{want.grant.prefix}"
        self._sites = list(want.grant.sites) or [own]
        if want.grant.manager in ("npm", "go"):  # whose pages are where the files are
            self._sites = [own]
        self.page = want.sandbox_id, _page_of(want.grant, "").path
        self._page = bytearray()
        self._is_page = False
        self._asking: Fetching | None = None
        self._deny: Deny | None = None
        self._is_over = False
        dates.reactor.soon(self._begin)

    # --- Fetching -------------------------------------------------------------------------

    def pause(self) -> None:
        """Implement Fetching."""
        self._errand.pause()

    def resume(self) -> None:
        """Implement Fetching."""
        self._errand.resume()

    def cancel(self) -> None:
        """Implement Fetching."""
        self._end()
        if self._asking is not None:
            self._asking.cancel()
        self._errand.cancel()

    # --- Taker of the page ----------------------------------------------------------------

    def begun(self, answer: Answer) -> None:
        """Implement Taker."""
        self._is_page = answer.status == 200

    def more(self, data: bytes) -> None:
        """Implement Taker."""
        if len(self._page) + len(data) <= MAX_DOCUMENT:
            self._page += data

    def ended(self, _served: Served) -> None:
        """Implement Taker."""
        self._asking = None
        try:
            date = self._dates.learn(self._want, bytes(self._page)) if self._is_page else None
        except UnreadableError:
            date = None
        if date is None:
            self._ask()
        else:
            self._judge(date)

    def failed(self, deny: Deny) -> None:
        """Implement Taker."""
        self._asking = None
        self._deny = deny
        self._ask()

    # --- inside ---------------------------------------------------------------------------

    def _begin(self) -> None:
        date = self._dates.known(self._want)
        if date is not None:
            self._judge(date)
        elif not self._is_over and self._dates.may_read(self):
            self.read()

    def read(self) -> None:
        """Read the page, now that it may."""
        date = self._dates.known(self._want)  # from who waited for it too
        if date is None:
            self._ask()
        else:
            self._judge(date)

    def _ask(self) -> None:
        """Ask the next site of the registry for the page."""
        if self._is_over:
            return
        if not self._sites:
            label = self._want.grant.label
            reason = f"{label} has no date in its registry, and the policy has a cooldown"
            self._end()
            self._errand.failed(self._deny or Deny(Code.COOLDOWN_ACTIVE, reason))
            return
        self._page.clear()
        host, prefix = split_site(self._sites.pop(0))
        grant = _page_of(self._want.grant, prefix)
        accept = NPM_FORM if grant.manager == "npm" else PYPI_FORM
        page = Want(
            self._want.sandbox_id,
            host,
            grant,
            accept,
            offline=self._want.offline,
            credential=self._want.credential,
            mirrors=self._want.mirrors,
        )
        self._asking = self._dates.source.fetch(page, self)

    def _judge(self, date: float) -> None:
        if self._is_over:
            return
        self._end()
        cooldown_s = self._want.grant.cooldown_s
        age_s = self._dates.reactor.wall_s() - date
        if age_s >= cooldown_s:
            self._errand.begin()
            return
        label = self._want.grant.label
        reason = (
            f"{label} was published {max(0, int(age_s // _DAY_S))} days ago; "
            f"the policy's cooldown is {cooldown_s / _DAY_S:g} days"
        )
        self._errand.failed(Deny(Code.COOLDOWN_ACTIVE, reason))

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._page.clear()
            self._dates.has_read(self)


def _key(want: Want) -> _Key:
    """SECURITY: what the hosts of one policy said of an artifact is no date for another policy.

    Nor is what they said to one credential a date for another.
    """
    grant = want.grant
    which = grant.file if grant.manager == "pypi" else grant.version
    return (
        (f"{want.host}{grant.prefix}", *grant.sites),
        grant.manager,
        grant.name,
        which,
        want.identity,
    )


def _page_of(grant: Grant, prefix: str) -> Grant:
    """Return the grant of the page at a site that has an artifact's date; it is not handed on."""
    match grant.manager:
        case "npm":
            path = f"{prefix}/{grant.name.replace('/', '%2f')}"
        case "pypi":
            path = f"{prefix}/simple/{canonical_name(grant.name)}/"
        case "cargo":
            path = f"{prefix}/{index_path(grant.name)}"
        case _:  # Go: each version has a page of its own, beside its files
            path = f"{grant.path.rpartition('.')[0]}.info"
    page = Grant(grant.manager, "metadata", path, name=grant.name, has_versions=True)
    page = replace(page, sites=grant.sites, beside=grant.beside, prefix=prefix)
    return replace(page, fallback=grant.fallback)
