"""Hostile registries and hostile requests, in sandboxes whose policy has no network rule at all.

Promises R1 to R11, R13 to R15; those of Python are in test_registries_pypi.py.
"""

import gzip
from typing import Any

import pytest

from tests.escape.control import resident_kib
from tests.escape.egress_world import PUBLIC, Report, eventually
from tests.escape.registry_internet import (
    Package,
    Reply,
    integrity,
    package_lock,
    packument,
    sha256,
    tarball,
    unique,
)
from tests.escape.registry_world import NPM, Registries, asking, registry_policy

pytestmark = pytest.mark.escape


@pytest.fixture
def pad() -> Package:
    """A package of this test alone."""
    return Package(unique("pad"))


def refused(found: list[list[object]], *codes: str) -> bool:
    """Tell whether each answer is a refusal with one of these codes."""
    return all(each[0] in (403, 502) and str(each[1]).split(":")[0] in codes for each in found)


def served(run: Report) -> dict[str, Any]:
    """Return the audit's line about what was served, of which there is one."""
    (line,) = [event for event in run.audit if event["phase"] == "served"]
    return line


def test_what_is_locked_is_fetched_once_for_all_sandboxes(
    outside: Registries, pad: Package
) -> None:
    """The control of all others: no rule, and yet the package comes; the second time from here."""
    outside.script.answers(pad.place, Reply(pad.data))
    runs = [outside.ask(NPM, pad.lock, ("npm.test", pad.file))]

    def is_from_the_cache() -> bool:
        runs.append(outside.ask(NPM, pad.lock, ("npm.test", pad.file)))
        return bool(served(runs[-1])["cache"] == "hit")

    assert eventually(is_from_the_cache, 60)  # it is written after it was handed over
    assert [run.result for run in runs] == [[pad.good]] * len(runs)
    assert outside.script.count(pad.place) == 1
    line = served(runs[0])
    assert line["address"] == PUBLIC  # who was dialled; of what the cache had, nobody was
    assert "address" not in served(runs[-1])
    assert (line["artifact"], line["strength"]) == (f"{pad.name} 1.3.0", "lockfile")
    assert (line["cache"], line["digest"]) == ("miss", f"sha256:{sha256(pad.data)}")
    assert line["pin"].startswith("package-lock.json:")
    assert {served(run)["bytes_in"] for run in runs} == {len(pad.data)}


def test_a_tampered_package_is_refused_and_not_kept(outside: Registries, pad: Package) -> None:
    """R1: of the same size, in the first sandbox; the second one gets the right one."""
    outside.script.answers(pad.place, Reply(pad.tampered), Reply(pad.data))
    said = outside.ask(NPM, pad.lock, ("npm.test", pad.file))
    assert said.result[0][0] == 403
    assert said.result[0][1].startswith(f"integrity_mismatch: {pad.name} 1.3.0")
    assert sha256(pad.tampered) not in str(said.result)
    assert len(said.denials("integrity_mismatch")) == 1
    assert not outside.keeps_any(pad.tampered)
    assert outside.get(NPM, pad.lock, pad.file) == [pad.good]


def test_a_large_package_that_proves_wrong_never_looks_whole(
    outside: Registries, pad: Package
) -> None:
    """R1: what is released before its end is known is cut."""
    large = bytes(17 * 1024 * 1024)
    lock = package_lock({pad.name: {**pad.entry, "integrity": integrity(large)}})
    outside.script.answers(pad.place, Reply(large[:-1] + b"x"), Reply(large))
    found = outside.get(NPM, lock, pad.file, pad.file)
    assert found[0][0] == 0, found  # however the client says that it was cut
    assert found[1] == [200, "OK", sha256(large), len(large)]


def test_what_is_not_locked_is_refused_and_never_asked_for(
    outside: Registries, pad: Package
) -> None:
    """R2: another version, a prerelease, a tag, a range, another package."""
    paths = (
        f"/{pad.name}/-/{pad.name}-1.3.1.tgz", f"/{pad.name}/-/{pad.name}-1.3.0-beta.tgz",
        f"/{pad.name}/-/{pad.name}-latest.tgz", f"/{pad.name}/-/{pad.name}-~1.3.0.tgz",
        "/other/-/other-1.0.0.tgz", f"/@a/{pad.name}/-/{pad.name}-1.3.0.tgz",
        f"/{pad.name}/-/{pad.name}-1.3.0.tgz.tgz", f"/{pad.name}/-/other-1.3.0.tgz",
    )  # fmt: skip
    for path in paths:
        outside.script.answers(f"npm.test{path}", Reply(pad.data))
    found = outside.get(NPM, pad.lock, *paths)
    assert refused(found, "lockfile_violation", "registry_not_allowed"), found
    assert outside.script.asked == []


def test_an_entry_without_integrity_is_refused(outside: Registries, pad: Package) -> None:
    """R3: none, one of an algorithm that proves nothing, one that is broken."""
    outside.script.answers(pad.place, Reply(pad.data))
    for said in ({}, {"integrity": "md5-AAAAAAAAAAAAAAAAAAAAAA=="}, {"integrity": "sha512-x"}):
        entry = {"version": "1.3.0", "resolved": f"https://{pad.place}", **said}
        assert refused(
            outside.get(NPM, package_lock({pad.name: entry}), pad.file), "lockfile_violation"
        )
    assert outside.script.asked == []


def test_one_scoped_package_has_one_name_and_odd_paths_have_none(
    outside: Registries, pad: Package
) -> None:
    """R4: however the slash is written it is one page; what could be two things is none."""
    page = packument("@a/b", {"1.0.0": pad.data})
    outside.script.answers("npm.test/@a%2fb", Reply(page, kind="application/json"))
    found = outside.get(NPM, pad.lock, "/@a/b", "/@a%2fb", "/@a%2Fb")
    assert {each[0] for each in found} == {200}
    assert outside.script.count("npm.test/@a%2fb") == 1 == len(outside.script.asked)
    odd = ("/@a%252fb", "/@a/../b", "/a%5Cb", "/a%00b", "/a/%2e%2e/b", f"/{'a' * 5000}", "//a")
    found = outside.get(NPM, pad.lock, *odd)
    assert {each[0] for each in found} <= {400, 403}
    assert len(outside.script.asked) == 1


def test_an_alias_is_the_package_behind_it_and_other_sources_are_none(
    outside: Registries, pad: Package
) -> None:
    """R5: the alias itself, a git repository, a tarball of some host."""
    forked = f"git+ssh://git@evil.test/forked.git#{'a' * 40}"
    entries = {
        "mine": {**pad.entry, "name": pad.name},
        "forked": {"version": "1.0.0", "resolved": forked},
        "ball": {
            "version": "1.0.0", "resolved": "https://evil.test/ball/-/ball-1.0.0.tgz",
            "integrity": integrity(pad.data),
        },
    }  # fmt: skip
    lock = package_lock(entries)
    outside.script.answers(pad.place, Reply(pad.data))
    for place in ("npm.test/mine/-/mine-1.3.0.tgz", "npm.test/forked/-/forked-1.0.0.tgz"):
        outside.script.answers(place, Reply(pad.data))
    for host in ("npm.test", "evil.test"):
        outside.script.answers(f"{host}/ball/-/ball-1.0.0.tgz", Reply(pad.data))
    good, *bad = outside.get(
        NPM, lock, pad.file, "/mine/-/mine-1.3.0.tgz", "/forked/-/forked-1.0.0.tgz",
    )  # fmt: skip
    assert good == pad.good
    assert refused(bad, "lockfile_violation")
    said = outside.ask(NPM, lock, ("evil.test", "/ball/-/ball-1.0.0.tgz"))
    assert said.result[0][0] == 0
    assert said.denials("host_not_allowed")
    assert {each.host for each in outside.script.asked} == {"npm.test"}


def test_a_body_that_is_cut_or_framed_twice_is_never_whole(
    outside: Registries, pad: Package
) -> None:
    """R7: and nothing of it is kept."""
    outside.script.answers(pad.place, Reply(pad.data, cut=len(pad.data) - 1))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(pad.data)
    raws = (
        head + b"Content-Length: 3\r\n\r\n" + pad.data,
        head + b"Transfer-Encoding: chunked\r\n\r\n" + pad.data,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (len(pad.data) + 9)
        + pad.data,
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(pad.data) + 1) + pad.data,
    )
    assert outside.get(NPM, pad.lock, pad.file)[0][0] in (0, 502)
    for raw in raws:
        outside.script.answers(pad.place, Reply(raw=raw))
        assert outside.get(NPM, pad.lock, pad.file)[0][0] in (0, 502), raw[:80]
    assert not outside.keeps_any(pad.data[:-1])
    outside.script.answers(pad.place, Reply(pad.data))
    assert outside.get(NPM, pad.lock, pad.file) == [pad.good]


def test_ranges_heads_and_many_at_once_are_of_the_same_bytes(
    outside: Registries, pad: Package
) -> None:
    """R8: and cost one request upstream."""
    outside.script.answers(pad.place, Reply(pad.data))
    program = asking(
        {"host": "npm.test", "path": pad.file, "range": "bytes=10-19"},
        {"host": "npm.test", "path": pad.file, "method": "HEAD"},
        {"host": "npm.test", "path": pad.file, "range": "bytes=9999999-"},
    )
    program += f"""
import threading
many = []
work = [threading.Thread(target=lambda: many.append(fetch("npm.test", {pad.file!r})))
        for _ in range(16)]
[each.start() for each in work]
[each.join() for each in work]
result = [result, many]
"""
    (part, head, beyond), many = outside.run(NPM, program, pad.lock).result
    assert part[0] == 206
    assert part[2:] == [sha256(pad.data[10:20]), 10]
    assert head[:1] == [200]
    assert beyond[0] == 416
    assert many == [pad.good] * 16
    assert outside.script.count(pad.place) == 1


def test_a_registry_cannot_fill_the_gateways_memory(outside: Registries, pad: Package) -> None:
    """R9: a packed bomb, two layers of it, an endless page, ten thousand fields."""
    bomb = gzip.compress(bytes(64 << 20))
    outside.script.answers("npm.test/bomb", Reply(bomb, fields=("Content-Encoding: gzip",)))
    twice = Reply(gzip.compress(bomb), fields=("Content-Encoding: gzip, gzip",))
    outside.script.answers("npm.test/twice", twice)
    chunk = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 1040
    outside.script.answers("npm.test/endless", Reply(raw=endless))
    fields = tuple(f"X-{number}: y" for number in range(10_000))
    outside.script.answers("npm.test/fields", Reply(b"{}", fields=fields))
    pid = outside.world.gateway_pid
    before = resident_kib(pid)
    found = outside.get(NPM, pad.lock, "/bomb", "/twice", "/endless", "/fields")
    assert {each[0] for each in found} <= {0, 403, 502}, found
    assert resident_kib(pid) - before < 100 * 1024


def test_a_redirect_leads_only_where_the_same_package_may_be_had(
    outside: Registries, pad: Package
) -> None:
    """R10: to a stranger, round in circles, to this machine, to another package; and a good one."""
    two = registry_policy(hosts="npm.test, mirror.test")

    def to(location: str) -> Reply:
        return Reply(status=302, fields=(f"Location: {location}",))

    for location in (
        f"https://evil.test{pad.file}", f"https://{pad.place}", "https://127.0.0.1/x", "http://npm.test/x",
        "https://npm.test/other/-/other-1.0.0.tgz", "https://u:p@npm.test/x", "https://npm.test:8443/",
    ):  # fmt: skip
        outside.script.answers(pad.place, to(location))
        (found,) = outside.get(two, pad.lock, pad.file)
        assert found[0] in (403, 502), (location, found)
    assert {each.host for each in outside.script.asked} == {"npm.test"}
    outside.script.answers(pad.place, to(f"https://mirror.test{pad.file}"))
    outside.script.answers(f"mirror.test{pad.file}", Reply(pad.data))
    assert outside.get(two, pad.lock, pad.file) == [pad.good]


def test_what_a_redirect_brought_is_kept_for_those_who_may_follow_it(
    outside: Registries, pad: Package
) -> None:
    """R10: a page has no digest, so another policy has what the host itself would send."""
    page, path = f"npm.test/{pad.name}", f"/{pad.name}"
    moved = Reply(status=302, fields=(f"Location: https://mirror.test{path}",))
    outside.script.answers(page, moved)
    outside.script.answers(f"mirror.test{path}", Reply(b'"from the mirror"'))
    two, one = registry_policy(hosts="npm.test, mirror.test"), registry_policy()
    brought = [200, "OK", sha256(b'"from the mirror"'), 17]
    assert outside.get(two, pad.lock, path) == [brought]
    offline = f"{asking(('npm.test', path))}"

    def has(policy: str) -> object:
        return outside.run(policy, offline, pad.lock, flags=("--offline",)).result

    assert eventually(lambda: has(two) == [brought], 60)
    assert has(one) != [brought]
    outside.script.answers(page, Reply(b'"its own"'))
    assert outside.get(one, pad.lock, path) == [[200, "OK", sha256(b'"its own"'), 9]]


def test_one_sandbox_cannot_poison_what_another_gets(outside: Registries, pad: Package) -> None:
    """R11: whatever fields the first one sends, the second one has the registry's own page."""
    outside.script.answers(f"npm.test/{pad.name}", pad.page)
    hostile = (
        {"Accept": "text/html"}, {"Accept": "x" * 4000}, {"X-Forwarded-Host": "evil.test"},
        {"Forwarded": "host=evil.test"}, {"X-Original-URL": "/other"}, {"Origin": "https://e.test"},
        {"Cookie": "a=b"}, {"Authorization": "Bearer secret"}, {"Accept-Encoding": "br, gzip"},
        {"Range": "bytes=0-9"}, {"If-None-Match": "*"}, {"X-HTTP-Method-Override": "PUT"},
    )  # fmt: skip
    requests = [{"host": "npm.test", "path": f"/{pad.name}", **fields} for fields in hostile]
    outside.ask(NPM, pad.lock, *requests)
    (found,) = outside.get(NPM, pad.lock, f"/{pad.name}")
    assert found == [200, "OK", sha256(pad.page.body), len(pad.page.body)]
    heads = "".join(each.head.lower() for each in outside.script.asked)
    for word in ("evil", "secret", "cookie", "x-original", "text/html", "xxxx", "override", "br,"):
        assert word not in heads


def test_nothing_is_written_to_a_registry_and_only_packages_are_read(
    outside: Registries, pad: Package
) -> None:
    """R13: publish, unpublish, login, audit, search."""
    said = outside.ask(
        NPM, pad.lock,
        {"host": "npm.test", "path": f"/{pad.name}", "method": "PUT", "body": b"{}",
         "Content-Length": "2"},
        ("npm.test", f"/{pad.name}/-rev/1", "DELETE"),
        ("npm.test", "/-/user/org.couchdb.user:me", "PUT"),
        {"host": "npm.test", "path": "/-/npm/v1/security/advisories/bulk", "method": "POST",
         "body": b"{}", "Content-Length": "2"},
        ("npm.test", "/-/v1/search?text=x"), ("npm.test", "/-/whoami"), ("npm.test", "/"),
    )  # fmt: skip
    assert refused(said.result, "registry_not_allowed"), said.result
    assert outside.script.asked == []


def test_while_the_registry_is_down_the_cache_goes_on_and_the_rest_says_why(
    outside: Registries, pad: Package
) -> None:
    """R14."""
    outside.script.answers(f"npm.test/{pad.name}", pad.page)
    outside.script.answers(pad.place, Reply(pad.data))
    before = outside.get(NPM, pad.lock, pad.file, f"/{pad.name}")
    for place in (f"npm.test/{pad.name}", pad.place, "npm.test/right-pad"):
        outside.script.answers(place, Reply(raw=b" "))  # which is no answer
    assert outside.get(NPM, pad.lock, pad.file, f"/{pad.name}") == before
    (cold,) = outside.get(NPM, pad.lock, "/right-pad")
    assert cold[0] == 502
    assert cold[1].startswith("upstream_unreachable: ")


def test_a_digest_alone_opens_nothing(outside: Registries, pad: Package) -> None:
    """R15: quoted from a private registry, whose package is in the cache; of another host."""
    secret = tarball("secret-pad", "1.0.0")
    path = "/secret-pad/-/secret-pad-1.0.0.tgz"
    whole = [200, "OK", sha256(secret), len(secret)]

    def lock(host: str) -> str:
        place = {"version": "1.0.0", "resolved": f"https://{host}{path}"}
        return package_lock({"secret-pad": {**place, "integrity": integrity(secret)}})

    outside.script.answers(f"private.test{path}", Reply(secret))
    private = registry_policy(hosts="private.test")
    assert outside.get(private, lock("private.test"), path, host="private.test") == [whole]
    (found,) = outside.get(NPM, lock("npm.test"), path)
    assert (found[0], found[2] == sha256(secret)) == (404, False)
    said = outside.ask(NPM, lock("private.test"), ("private.test", path), ("npm.test", path))
    assert [each[0] for each in said.result] == [0, 404]
    assert said.denials("host_not_allowed")
    assert outside.script.count(f"private.test{path}") == 1


def test_a_damaged_file_of_the_cache_is_fetched_anew(outside: Registries, pad: Package) -> None:
    outside.script.answers(pad.place, Reply(pad.data))
    assert outside.get(NPM, pad.lock, pad.file) == [pad.good]
    blob = outside.blob(pad.data)
    assert eventually(blob.exists, 60)
    blob.chmod(0o600)
    blob.write_bytes(pad.tampered)
    assert outside.get(NPM, pad.lock, pad.file, pad.file) == [pad.good, pad.good]
    assert outside.script.count(pad.place) == 2
    assert eventually(lambda: blob.exists() and blob.read_bytes() == pad.data, 60)


def test_a_network_rule_for_the_same_host_opens_no_way_round(
    outside: Registries, pad: Package
) -> None:
    """R2: on no port, in plain text neither; the control is what is locked."""
    rule = "{host: npm.test, ports: [80, 443, 8080]}"
    both = NPM.replace("allow: []", f"allow: [{rule}]")
    outside.script.answers(pad.place, Reply(pad.data))
    other = Package(unique("unlocked"))
    outside.script.answers(other.place, Reply(other.data))
    program = f"""{asking(("npm.test", pad.file), ("npm.test", other.file))}
import http.client
for port, make in ((80, http.client.HTTPConnection), (8080, http.client.HTTPConnection)):
    line = make("npm.test", port, timeout=60)
    try:
        line.request("GET", {other.file!r})
        result.append([line.getresponse().status])
    except OSError as error:
        result.append([type(error).__name__])
line = http.client.HTTPSConnection("npm.test", 8080, timeout=60, context=CONTEXT)
line.request("GET", {other.file!r}, headers={{"Host": "npm.test:8080"}})
result.append([line.getresponse().status])
"""
    said = outside.run(both, program, pad.lock)
    good, unlocked, *plain, port = said.result
    assert good == pad.good
    assert unlocked[0] == port[0] == 403
    assert not any(isinstance(each[0], int) for each in plain), plain
    assert outside.script.count(other.place) == 0


def test_a_warning_lets_pass_and_is_told(outside: Registries, pad: Package) -> None:
    place = "/other/-/other-1.0.0.tgz"
    outside.script.answers(f"npm.test{place}", Reply(pad.data))
    said = outside.ask(registry_policy(mode="warn"), pad.lock, ("npm.test", place))
    assert said.result[0][0] == 200
    assert "other 1.0.0 is not in package-lock.json; mode: warn lets it pass" in said.stderr
    verdicts = [e for e in said.audit if e.get("artifact") and e["phase"] == "verdict"]
    assert verdicts[0]["strength"] == "unlocked"
