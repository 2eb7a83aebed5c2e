"""Small parts of what exec shows; the whole is in test_cmd_exec.py."""

import os
import pty
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.cli.exec_output import (
    PlainReport,
    after_denials,
    counted,
    denied_summary,
    target_text,
    whole_characters,
    write_all,
)
from cleanroom.cli.render import Screen
from cleanroom.client.reply import Reply


def test_one_is_not_many() -> None:
    assert [counted(count, "file") for count in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_a_name_that_was_looked_up_has_no_port() -> None:
    asked = {"name": "a.example", "address": "", "port": 53, "protocol": "dns"}
    assert target_text(Reply.of(asked)) == "a.example"
    assert target_text(Reply.of({**asked, "protocol": "udp"})) == "a.example:53"


def test_denials_are_summed() -> None:
    denials = [{"name": "a", "count": 2}, {"name": "", "address": "203.0.113.1", "count": 1}]
    said = denied_summary([Reply.of(denial) for denial in denials])
    assert said == "cleanroom: 3 connections denied (2 hosts)"


def test_packages_are_named_in_the_sum() -> None:
    package = {"name": "npm.example", "count": 1}
    denials = [{**package, "artifact": f"p{number} 1.0"} for number in range(10)]
    said = denied_summary([Reply.of(denial) for denial in denials])
    assert said.startswith("cleanroom: 10 packages denied (p0 1.0, p1 1.0, ")
    assert said.endswith("p7 1.0 and 2 more)")
    said = denied_summary([Reply.of({"name": "a", "count": 2}), Reply.of(denials[0])])
    assert said == "cleanroom: 2 connections denied (1 host), 1 package denied (p0 1.0)"


def test_pushes_are_no_packages() -> None:
    push = {"name": "code.example", "count": 1, "code": "push_not_allowed"}
    denials = [{**push, "artifact": f"team/lib.git {name}"} for name in ("main", "v1")]
    said = denied_summary([Reply.of({"name": "n", "artifact": "p 1.0"}), *map(Reply.of, denials)])
    assert said == (
        "cleanroom: 1 package denied (p 1.0), 2 pushes denied (team/lib.git main, team/lib.git v1)"
    )


def test_each_package_is_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    report = PlainReport(Screen({}), verbose=False)
    denied = {"type": "denied", "name": "npm.example", "port": 443, "code": "lockfile_violation"}
    for artifact in ("ms 1", "ms 2", "ms 1", "", ""):
        report.news(Reply.of({**denied, "artifact": artifact, "reason": f"no {artifact}"}))
    said = [line.partition(": ")[2] for line in capfd.readouterr().err.splitlines()]
    assert said == [
        f"denied npm.example:443: no {artifact} (lockfile_violation)"
        for artifact in ("ms 1", "ms 2", "")
    ]


@given(st.text(max_size=20), st.integers(0, 100))
def test_a_cut_never_splits_a_character(text: str, cut: int) -> None:
    data = text.encode("utf-8", "replace")[:cut]
    end = whole_characters(data)
    data[:end].decode()
    assert len(data) - end < 4


@pytest.mark.parametrize("data", [b"\xff", b"a\x80\x80\x80\x80", b"\x80", b""])
def test_bytes_that_are_no_text_do_not_wait(data: bytes) -> None:
    assert whole_characters(data) == len(data)


def test_a_descriptor_that_does_not_block_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data = b"x" * 300_000
    thread = threading.Thread(target=write_all, args=(writer, data))
    thread.start()
    got = 0
    while got < len(data):
        got += len(os.read(reader, 65536))
    thread.join()
    os.close(reader)
    os.close(writer)
    assert got == len(data)


def test_a_terminal_that_hung_up_is_a_broken_pipe() -> None:
    keyboard, end = pty.openpty()
    os.close(keyboard)
    with pytest.raises(BrokenPipeError):
        write_all(end, b"x")
    os.close(end)


def test_a_closed_descriptor_is_a_bug() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        write_all(-1, b"x")


def test_what_the_policy_did_not_refuse_is_not_laid_at_its_door() -> None:
    def denials(*codes: str) -> list[Reply]:
        return [Reply.of({"code": code}) for code in codes]

    said = after_denials(denials("upstream_unreachable", "offline_miss"))
    assert said.endswith("would have allowed that; next: cleanroom explain upstream_unreachable")
    said = after_denials(denials("upstream_certificate_invalid"))
    assert said.startswith("the policy would have allowed that; next: cleanroom explain upstream_c")
    assert after_denials(denials("offline_miss", "host_not_allowed")).endswith("policy suggest")


def test_what_no_rule_lifts_is_explained_and_what_is_not_locked_can_be() -> None:
    codes = ("offline_miss", "secret_scope_violation")
    said = after_denials([Reply.of({"code": code}) for code in codes])
    assert said.endswith("no use; next: cleanroom explain secret_scope_violation")
    said = after_denials([Reply.of({"code": "lockfile_violation"})])
    assert said == "the lock files say no; how to pin a package: cleanroom policy suggest"
    said = after_denials([Reply.of({"code": "cooldown_active"})])
    assert said == "the cooldown says no; what an exception looks like: cleanroom policy suggest"
    said = after_denials([Reply.of({"code": "offline_miss"})] * 2)
    assert said.endswith("at once: cleanroom cache warm")


def test_a_handshake_that_a_client_let_go_of_is_not_what_stopped_it() -> None:
    let_go = Reply.of({"code": "handshake_failed", "name": "a", "count": 2})
    denied = Reply.of({"code": "host_not_allowed", "name": "b"})
    assert after_denials([let_go, Reply.of({"code": "offline_miss"})]).endswith("cache warm")
    assert after_denials([let_go]).endswith(
        "have allowed that; next: cleanroom explain handshake_failed"
    )
    assert denied_summary([let_go]) == "cleanroom: 2 TLS handshakes unfinished (1 host)"
    said = denied_summary([let_go, denied])
    assert said == "cleanroom: 1 connection denied (1 host), 2 TLS handshakes unfinished (1 host)"
