"""Every reader of bytes that somebody hostile may write, but for lock files and HTTP, which have
fuzz tests of their own.

In: bytes, a Random for what else varies. Out: nothing; it returns, or raises what it declares.
Never: another exception. What must be true of any answer is asserted here.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime
from random import Random
from typing import Final

from cleanroom.agent.frames import FrameError
from cleanroom.agent.frames import FrameReader as AgentFrames
from cleanroom.decide.ancestry import follows, parents_in
from cleanroom.decide.artifact import Grant
from cleanroom.decide.commits import Commit, Commits, name_commits
from cleanroom.decide.cooldown import UnreadableError, date_of
from cleanroom.decide.git_refs import holding
from cleanroom.decide.gosum import ZipError, digest_of_zip
from cleanroom.decide.grammar import GRAMMARS
from cleanroom.decide.kinds import read_parts
from cleanroom.decide.model import Deny
from cleanroom.decide.oauth2 import read_answer
from cleanroom.decide.objects import Asked, fault_of
from cleanroom.decide.pack import what_came
from cleanroom.decide.push import Pass, PushJudge, Refused
from cleanroom.decide.upload_pack import decide_talk
from cleanroom.gateway.layers.dns_codec import Faulty, encode_fault, parse_query
from cleanroom.gateway.layers.tls import ClientHello, HelloReader
from cleanroom.gateway.layers.websocket import WebSocket, framed
from cleanroom.gateway.refining import refining
from cleanroom.gateway.source import Want
from cleanroom.policy.model import PushRules
from tests.agent.speech import vectors
from tests.decide import packs
from tests.decide import test_objects as held
from tests.decide.test_ancestry import MERGE, ONE, TWO, entry, named, pack
from tests.decide.test_mirror import CRATES, INDEX, NPM
from tests.decide.test_pack import NEW, OLD
from tests.decide.test_push_commands import A, line, push
from tests.decide.test_upload_pack import fetch, pkt, talk
from tests.fuzz.gateway_readers import GATEWAY
from tests.fuzz.inner_readers import INNER
from tests.fuzz.mutator import pieces
from tests.fuzz.reader import Read, Reader
from tests.gateway.hellos import hello
from tests.gateway.layers.test_websocket import masked
from tests.gateway.queries import EDNS, query
from tests.gateway.secret_talk import PLACEHOLDER, POST, VALUE, SecretTalk, keys
from tests.gateway.talk import SANDBOX, UPSTREAM

NOW_S: Final = 1_800_000_000.0
EVERYWHERE: Final = ("header", "basic", "query", "form", "json", "cookie")


# --- conversations ---------------------------------------------------------------------------


def _server_frames(data: bytes, random: Random) -> None:
    tunnel = WebSocket(keys())
    passed = bytearray()
    for piece in pieces(random, data):
        found = tunnel.back(piece)
        if isinstance(found, Deny):
            break
        passed += found
    assert VALUE not in passed


def _sandbox_frames(data: bytes, random: Random) -> None:
    def verdict(cut: list[bytes]) -> str:
        tunnel = WebSocket(keys())
        for piece in cut:
            found = tunnel.out(piece)
            if isinstance(found, Deny):
                return found.code
            assert found == piece
        return ""

    assert verdict(pieces(random, data)) == verdict([data])


def _requests(data: bytes, random: Random) -> None:
    conversation = SecretTalk(keys(target=random.choice((("header",), EVERYWHERE))))
    for piece in pieces(random, data):
        conversation.asks(piece)
    assert PLACEHOLDER.encode() not in conversation.sent(UPSTREAM)
    assert VALUE not in conversation.sent(SANDBOX)


def _answers(data: bytes, random: Random) -> None:
    conversation = SecretTalk(keys())
    conversation.request("GET /a HTTP/1.1\nHost: a.test\nAuthorization: Bearer $")
    for piece in pieces(random, data):
        conversation.answers(piece)
    assert VALUE not in conversation.sent(SANDBOX)


def _tokens(data: bytes, random: Random) -> None:
    found = read_answer(random.choice((200, 200, 200, 400, 503)), data)
    assert isinstance(found, str) or found.lasts_s >= 0


def _parts(data: bytes, _random: Random) -> None:
    read_parts(data)


# --- git -------------------------------------------------------------------------------------


def _git_question(data: bytes, _random: Random) -> None:
    found = decide_talk(talk(), data)
    if isinstance(found, Grant):  # the one spelling is its own
        again = decide_talk(talk(), found.body)
        assert again == found


def _branches(data: bytes, _random: Random) -> None:
    """Whatever a host says, nothing is seen but what is locked."""
    version = b"" if b"# service" in data else b"0000"
    named = name_commits([Commit(A, "lockfile"), Commit("b" * 40, "lockfile")])
    show = holding(Grant("git", "metadata", "/l", body=version, commits=Commits(named, None, "x")))
    assert show is not None
    assert set(re.findall(rb"([0-9a-f]{40}) (?:refs/|HEAD)", show(data))) <= {b"a" * 40, b"b" * 40}


def _git_answer(data: bytes, random: Random) -> None:
    algorithm = random.choice(("sha1", "sha256"))
    for _ in what_came(lambda at, size: data[at : at + size], len(data), algorithm):
        pass


def _pack(data: bytes, random: Random) -> None:
    found = parents_in(data, random.choice((40, 64)))
    for name in found:
        follows(name, A, found)


def _objects(data: bytes, random: Random) -> None:
    """A pack that is held, whatever its checksum is."""
    asked = Asked(frozenset({data[-20:]}), has_some=random.randrange(2) == 0)
    for _ in fault_of(lambda at, size: data[at : at + size], len(data), asked, "sha1"):
        pass


def _push(data: bytes, random: Random) -> None:
    rules = PushRules(("agent/*", "fix"), force=random.randrange(4) == 0)

    def verdict(cut: list[bytes]) -> Pass | Refused | None:
        judge = PushJudge("team/lib.git", rules)
        for number, piece in enumerate(cut, start=1):
            found = judge.feed(piece, is_whole=number == len(cut))
            if found is not None:
                return found
        return None

    assert verdict(pieces(random, data) or [b""]) == verdict([data])


# --- registries ------------------------------------------------------------------------------


def _path(data: bytes, _random: Random) -> None:
    for grammar in GRAMMARS.values():
        grammar.ask(data.decode("latin-1"))


def _page(manager: str, path: str) -> Read:
    def read(data: bytes, random: Random) -> None:
        cooldown_s = random.choice((0, 604_800))
        grant = Grant(manager, "metadata", path, "ms", cooldown_s=cooldown_s, has_versions=True)
        mirrors = {each.host: each for each in (NPM, INDEX, CRATES)}
        accept = random.choice(("", "text/html", "application/vnd.pypi.simple.v1+json"))
        want = Want("sb", "npm.example", grant, accept, mirrors=mirrors)
        refine = refining(want, NOW_S)
        assert refine is not None
        seen = refine(data)
        if cooldown_s and manager == "npm":
            page = json.loads(seen)
            dates = [datetime.fromisoformat(page["time"][each]) for each in page["versions"]]
            assert all(date.timestamp() <= NOW_S - cooldown_s for date in dates)
        date_of(manager, data, "1.0.0", "ms-1.0.0.tar.gz")

    return read


def _go_date(data: bytes, _random: Random) -> None:
    date_of("go", data, "v1.0.0", "")


def _zip(data: bytes, _random: Random) -> None:
    for _ in digest_of_zip(lambda at, size: data[at : at + size], len(data)):
        pass


def _zipped(method: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as opened:
        for name in ("m@v1.0.0/go.mod", "m@v1.0.0/a.go"):
            opened.writestr(zipfile.ZipInfo(name), b"module m\n" * 20, method)
    return made.getvalue()


# --- what the sandbox says first, and its agent ----------------------------------------------


def _dns(data: bytes, _random: Random) -> None:
    found = parse_query(data)
    if isinstance(found, Faulty):
        encode_fault(found)


def _hello(data: bytes, random: Random) -> None:
    def verdict(cut: list[bytes]) -> object:
        reader = HelloReader()
        found = (reader.feed(piece) for piece in cut)
        return next((each for each in found if each is not None), None)

    whole = verdict([data])
    if isinstance(whole, ClientHello):
        assert verdict(pieces(random, data)) == whole


def _agent(data: bytes, random: Random) -> None:
    reader = AgentFrames()
    for piece in pieces(random, data):
        reader.feed(piece)


# --- all of them -----------------------------------------------------------------------------


def _body(kind: str, text: str) -> bytes:
    body = text.replace("$", PLACEHOLDER)
    head = f"{POST}\nContent-Type: {kind}\nContent-Length: {len(body)}\n\n"
    return head.replace("\n", "\r\n").encode() + body.encode()


def _repeating() -> Iterator[bytes]:
    for fields, body in (
        ("Content-Length: 30", b"you said " + VALUE),
        ("Set-Cookie: t=" + VALUE.decode() + "\r\nContent-Length: 2", b"ok"),
        ("Transfer-Encoding: chunked", b"7\r\nreal-Va\r\ne\r\nlue_0123456789\r\n0\r\n\r\n"),
        ("Content-Type: text/event-stream", b"data: " + VALUE + b"\n\n"),
    ):
        yield f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode() + body


_NPM_PAGE: Final = json.dumps(
    {
        "name": "ms",
        "dist-tags": {"latest": "2.0.0"},
        "versions": {
            each: {"dist": {"tarball": f"{NPM.url}/ms/-/ms-{each}.tgz"}}
            for each in ("1.0.0", "2.0.0")
        },
        "time": {"1.0.0": "2020-01-01T00:00:00Z", "2.0.0": "2027-01-14T00:00:00Z"},
    }
).encode()
_PYPI_PAGE: Final = json.dumps(
    {
        "meta": {"api-version": "1.1"},
        "name": "ms",
        "versions": ["1.0.0"],
        "files": [
            {
                "filename": "ms-1.0.0.tar.gz",
                "url": f"{INDEX.url}/ms-1.0.0.tar.gz",
                "hashes": {"sha256": "0" * 64},
                "requires-python": ">=3",
                "yanked": "no",
                "upload-time": "2020-01-01T00:00:00Z",
            }
        ],
    }
).encode()
_CRATE: Final = b'{"name":"ms","vers":"1.0.0","cksum":"0","pubtime":"2020-01-01T00:00:00Z"}\n'
_HELD: Final = packs.pack(*held.TOP, held.BASE, held.SECOND, held.THIRD)
_CHAIN: Final = pack(entry(1, MERGE), entry(1, TWO), entry(1, ONE))
_AGENT_FRAMES: Final = tuple(code for code, _ in vectors("agent"))
_MULTIPART: Final = '--b\r\nContent-Disposition: form-data; name="t"\r\n\r\n$\r\n--b--\r\n'

READERS: Final = {
    "frames of a WebSocket's server": Reader(
        (
            framed(1, b"hello " + VALUE, is_final=True),
            framed(1, b"real-", is_final=False) + framed(9, b"ping", is_final=True)
            + framed(0, b"Value_0123456789", is_final=True) + framed(8, b"\x03\xe8", is_final=True),
            framed(2, b"x" * 200, is_final=True),
        ),
        _server_frames,
    ),
    "frames of a WebSocket's client": Reader(
        (
            masked(1, b"hello") + masked(1, f"say {PLACEHOLDER}".encode()),
            masked(2, b"a" * 130, is_final=False) + masked(10, b"") + masked(0, b"b"),
        ),
        _sandbox_frames,
    ),
    "requests with a placeholder": Reader(
        (
            _body("application/json", '{"a": "$", "b": [1, "\\u0041"]}'),
            _body("application/x-www-form-urlencoded", "a=1&b=$&c=%20"),
            _body("multipart/form-data; boundary=b", _MULTIPART),
            f"GET /a?t={PLACEHOLDER} HTTP/1.1\r\nHost: a.test\r\nCookie: a={PLACEHOLDER}\r\n\r\n"
            .encode(),
        ),
        _requests,
    ),
    "answers that repeat a value": Reader(tuple(_repeating()), _answers),
    "answers of a token endpoint": Reader(
        (
            b'{"access_token":"0123456789abcdef","token_type":"Bearer","expires_in":3600,'
            b'"refresh_token":"abcdefghijkl"}',
            b'{"error":"invalid_grant"}',
        ),
        _tokens,
    ),
    "values of several parts": Reader((b'{"client_id":"a","client_secret":"b"}',), _parts),
    "questions of git": Reader(
        (
            fetch(f"want {A}", f"have {A}", "deepen 1", "filter blob:none", "done"),
            pkt("command=ls-refs", "object-format=sha1", 1, "peel", "ref-prefix refs/heads/", 0),
            pkt(f"want {A} ofs-delta agent=git/2\n", 0, f"have {A}\n", "done\n"),
        ),
        _git_question,
    ),
    "branches of git": Reader(
        (
            pkt(f"{A} HEAD symref-target:refs/heads/main\n", f"{'c' * 40} refs/tags/v1\n", 0),
            pkt(f"{'c' * 40} refs/tags/v1 peeled:{A}\n", "unborn HEAD\n", 0),
            pkt("# service=git-upload-pack\n", 0, "version 2\n", "fetch=shallow filter\n", 0),
            pkt(
                "# service=git-upload-pack\n", 0, f"{'c' * 40} HEAD\0 filter agent=git/2\n",
                f"{A} refs/heads/main\n", f"{'b' * 40} refs/tags/v1^{{}}\n", f"shallow {A}\n", 0,
            ),
        ),
        _branches,
        (UnreadableError,),
    ),
    "answers of git": Reader((NEW, OLD, pkt("ERR no\n")), _git_answer),
    "packs that are held": Reader((_HELD,), _objects),
    "packs": Reader((_CHAIN, pack(entry(1, ONE), entry(6, b"\x0a\x0a\x05hello", b"\x40"))), _pack),
    "pushes of git": Reader(
        (
            push(line(), line("refs/heads/fix")) + _CHAIN,
            push(line("refs/heads/fix", named(ONE), named(MERGE))) + _CHAIN,
            push(line("refs/heads/fix", A, "0" * 40)),
        ),
        _push,
    ),
    "paths of registries": Reader(
        (
            b"/@scope%2fname/-/name-1.0.0.tgz", b"/simple/some-pkg/?format=json",
            b"/packages/ab/cd/some_pkg-1.0-py3-none-any.whl.metadata",
            b"/api/v1/crates/left_pad/1.0.1/download", b"/le/ft/left_pad",
            b"/mods.example/!lib/@v/v1.1.0+incompatible.info",
            b"/sumdb/sum.example/lookup/m@v1.0.0",
            b"/team/lib.git/info/refs?service=git-upload-pack",
        ),
        _path,
    ),
    "pages of npm": Reader((_NPM_PAGE,), _page("npm", "/ms"), (UnreadableError,)),
    "pages of an index": Reader((_PYPI_PAGE,), _page("pypi", "/simple/ms/"), (UnreadableError,)),
    "pages of crates": Reader((_CRATE * 2,), _page("cargo", "/ms"), (UnreadableError,)),
    "dates of modules": Reader(
        (b'{"Version":"v1.0.0","Time":"2020-01-01T00:00:00Z"}',), _go_date, (UnreadableError,)
    ),
    "zip files of modules": Reader(
        (_zipped(zipfile.ZIP_STORED), _zipped(zipfile.ZIP_DEFLATED)), _zip, (ZipError,)
    ),
    "questions of DNS": Reader((query("a.test"), query("b.a.test", 28, extra=EDNS)), _dns),
    "first words of TLS": Reader((hello(b"a.test"),), _hello),
    "frames of the agent": Reader(
        (*_AGENT_FRAMES, b"".join(_AGENT_FRAMES)),
        _agent,
        (FrameError,),
    ),
    **GATEWAY,
    **INNER,
}  # fmt: skip
