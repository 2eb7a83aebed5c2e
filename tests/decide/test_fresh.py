"""All who have nothing of a repository ask one question for the same commits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.cli import warm_inside
from cleanroom.decide.artifact import Grant
from cleanroom.decide.fresh import fresh_fetch, whole_list
from cleanroom.decide.packets import DELIM, FLUSH, Packet, read_packets
from cleanroom.decide.upload_pack import decide_talk

A, B = b"want " + b"a" * 40, b"want " + b"b" * 40
NEW = b"want " + b"c" * 64
HAVE = b"have " + b"d" * 40
FETCH = b"command=fetch"
SHA1, SHA256 = b"object-format=sha1", b"object-format=sha256"


def v2(*lines: bytes, able: tuple[bytes, ...] = ()) -> list[Packet]:
    return [FETCH, *able, DELIM, *lines, FLUSH]


@pytest.mark.parametrize(
    "packets",
    [
        v2(b"thin-pack", b"no-progress", b"ofs-delta", A, B, b"done", able=(SHA1,)),
        v2(b"ofs-delta", B, A, b"done", able=(SHA1,)),
        v2(A, B, A, b"done"),
    ],
)
def test_what_a_client_can_do_with_what_it_has_is_no_question(packets: list[Packet]) -> None:
    assert fresh_fetch(packets) == v2(b"no-progress", A, B, b"done")


@pytest.mark.parametrize("line", [b"include-tag", b"deepen 1", b"filter blob:none"])
def test_what_changes_which_objects_come_stays(line: bytes) -> None:
    made = fresh_fetch(v2(b"thin-pack", A, line, b"done", able=(SHA256,)))
    assert line in made
    assert made[:3] == [FETCH, SHA256, DELIM]
    assert b"thin-pack" not in made


@pytest.mark.parametrize(
    "packets",
    [
        v2(b"thin-pack", A, HAVE, b"done"),
        v2(b"thin-pack", A),
        v2(b"thin-pack", A, b"shallow " + b"a" * 40, b"deepen 1", b"done"),
        v2(b"thin-pack", A, b"deepen 1", b"deepen-relative", b"done"),
        v2(b"thin-pack", b"want-ref refs/heads/main", b"done"),
        v2(b"thin-pack", A, b"sideband-all", b"done"),
        [FETCH, FLUSH],
    ],
)
def test_what_is_asked_by_one_who_has_something_stays_as_it_is(packets: list[Packet]) -> None:
    assert fresh_fetch(packets) == packets


OLD = b" multi_ack_detailed no-done side-band-64k thin-pack no-progress ofs-delta deepen-since"


def test_older_versions_have_one_question_too() -> None:
    made: list[Packet] = [A + b" no-progress side-band-64k", B, FLUSH, b"done"]
    assert fresh_fetch([B + OLD, A, FLUSH, b"done"]) == made
    assert fresh_fetch([A + b" side-band-64k", B, FLUSH, b"done"]) == made
    assert fresh_fetch(made) == made
    assert fresh_fetch([NEW + b" side-band " + SHA256, FLUSH, b"done"]) == [
        NEW + b" no-progress " + SHA256 + b" side-band", FLUSH, b"done"
    ]  # fmt: skip
    assert fresh_fetch([A + OLD, b"deepen 2", FLUSH, b"done"])[1:] == [b"deepen 2", FLUSH, b"done"]


@pytest.mark.parametrize(
    "packets",
    [
        [A + OLD, FLUSH, HAVE, b"done"],
        [A + OLD, b"shallow " + b"a" * 40, FLUSH, b"done"],
        [A + OLD + b" deepen-relative", b"deepen 2", FLUSH, b"done"],
        [A + OLD + b" filter", b"filter blob:none", FLUSH, b"done"],
        [A + OLD, FLUSH, HAVE, FLUSH, b"done"],
        [A + OLD, FLUSH],
        [A],
    ],
)
def test_of_older_versions_all_else_stays_as_it_is(packets: list[Packet]) -> None:
    assert fresh_fetch(packets) == packets


def test_branches_are_asked_for_as_a_clone_does() -> None:
    asked: list[Packet] = [b"command=ls-refs", SHA256, DELIM, b"ref-prefix refs/heads/x", FLUSH]
    made = whole_list(asked)
    assert made[:3] == [b"command=ls-refs", SHA256, DELIM]
    assert b"ref-prefix refs/heads/" in made
    assert whole_list(made) == made
    assert SHA256 not in whole_list([b"command=ls-refs", SHA1, FLUSH])


LINES = st.sampled_from(
    [A, B, HAVE, b"thin-pack", b"done", b"deepen 1", b"include-tag", b"ofs-delta", DELIM, FLUSH]
)


@given(lines=st.lists(LINES), is_v2=st.booleans())
def test_a_question_is_its_own_one_way(lines: list[Packet], *, is_v2: bool) -> None:
    made = fresh_fetch([FETCH if is_v2 else A + OLD, *lines])
    assert fresh_fetch(made) == made


@pytest.mark.parametrize("oid", ["a" * 40, "c" * 64])
def test_a_cache_is_warmed_by_the_very_question(oid: str) -> None:
    """Else nobody would find what `cache warm` brought."""
    for body in (
        warm_inside.fetch_body((oid,)),
        warm_inside.fetch_body((oid,), "deepen 1"),
        warm_inside.old_fetch_body((oid,)),
    ):
        granted = decide_talk(Grant("git", "talk", "/a/git-upload-pack", "a"), body)
        assert isinstance(granted, Grant)
        assert granted.body == body
    form = (SHA256.decode(),) if len(oid) > 40 else ()
    listing = warm_inside.packets("command=ls-refs", *form, None, *warm_inside.LIST) + b"0000"
    packets = read_packets(listing, 100)
    assert packets
    assert whole_list(packets) == packets
