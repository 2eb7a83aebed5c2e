"""Lines of streams as people read them."""

from datetime import UTC, datetime, timedelta

from cleanroom.cli.lines import age, event_text, record_text, verdict_text
from cleanroom.client.reply import Reply


def test_an_age_is_short() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    for ago, said in ((0, "0s"), (59, "59s"), (-9, "0s"), (61, "1m"), (7300, "2h"), (9e5, "10d")):
        assert age((now - timedelta(seconds=ago)).isoformat(), now.timestamp()) == said
    assert age("2026-01-02T03:04:05.250Z", now.timestamp()) == "0s"
    assert age("T", 0) == "T"


def test_an_event_has_its_details() -> None:
    line = {"type": "event", "time": "T", "kind": "sandbox.ready", "detail": {"a": "1", "b": "2"}}
    assert event_text(Reply.of(line)) == "T sandbox.ready a=1 b=2"


def test_a_verdict_names_rule_and_line() -> None:
    line = {
        "type": "network",
        "time": "T",
        "allowed": True,
        "protocol": "tls",
        "name": "a.example",
        "port": 443,
        "rule": "*.example:443",
        "rule_line": 7,
        "bytes_out": 10,
        "bytes_in": 20,
    }
    assert event_text(Reply.of(line)) == (
        "T allowed tls a.example:443 by *.example:443 (line 7) 10 bytes out, 20 in"
    )


def test_a_package_is_named_with_where_it_came_from() -> None:
    line = {
        "allowed": True,
        "protocol": "https",
        "name": "npm.example",
        "port": 443,
        "rule": "npm.example:443",
        "bytes_in": 20,
        "artifact": "left-pad 1.3.0",
        "cache": "hit",
    }
    assert verdict_text(Reply.of(line)) == (
        "allowed https npm.example:443 left-pad 1.3.0 by npm.example:443 0 bytes out, 20 in"
        " (cache: hit)"
    )


def test_without_a_name_the_address_is_shown() -> None:
    line = {"allowed": False, "protocol": "tcp", "name": "", "address": "203.0.113.1", "port": 22}
    assert verdict_text(Reply.of(line)) == "denied tcp 203.0.113.1:22 : "


def test_a_note_is_its_text() -> None:
    assert event_text(Reply.of({"type": "note", "text": "hello"})) == "hello"


def test_a_record_of_a_state_has_its_kind() -> None:
    record = {"time": "T", "kind": "run.started", "run_id": "r", "detail": {"a": "1"}}
    assert record_text(Reply.of(record)) == "T r - run.started a=1"
