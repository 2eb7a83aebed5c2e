"""The writer: whole batches or nothing, one at a time, and what a killed one leaves behind."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cleanroom.audit.log import AuditLog, rfc3339
from cleanroom.audit.read import read
from cleanroom.audit.segments import Head
from cleanroom.audit.verify import verify
from cleanroom.errors import Code, Fault
from tests.audit.worlds import NOON, files, open_descriptors, opened, record, the_file, write


def test_lines_are_in_the_file_when_append_returns(tmp_path: Path) -> None:
    with opened(tmp_path / "audit") as log:
        log.append([record("a.test"), record("b.test")])
        lines = the_file(tmp_path / "audit").read_bytes().splitlines()
        assert [json.loads(line)["name"] for line in lines] == ["a.test", "b.test"]
        assert [json.loads(line)["time"] for line in lines] == ["2025-11-25T12:00:00.250000Z"] * 2
        assert log.head == Head(2, json.loads(lines[1])["hash"])


def test_a_batch_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = os.write

    def counting(descriptor: int, data: bytes) -> int:
        sizes.append(len(data))
        return real(descriptor, data)

    with opened(tmp_path) as log:
        monkeypatch.setattr(os, "write", counting)
        log.append([record() for _ in range(100)])
        monkeypatch.undo()
    assert sizes == [the_file(tmp_path).stat().st_size]


def test_an_empty_batch_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([])
        assert log.head == Head()
    assert the_file(tmp_path).stat().st_size == 0


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "audit"
    write(folder, record())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert the_file(folder).stat().st_mode & 0o777 == 0o600


def test_a_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    write(tmp_path / "audit", record())
    (tmp_path / "audit").chmod(0o755)
    the_file(tmp_path / "audit").chmod(0o644)
    write(tmp_path / "audit", record())
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o700
    assert the_file(tmp_path / "audit").stat().st_mode & 0o777 == 0o600


def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    write(tmp_path, record("a.test"))
    write(tmp_path, record("b.test"))
    assert verify(tmp_path).lines == 2
    assert verify(tmp_path).ok


def test_files_are_bounded_and_the_chain_crosses_them(tmp_path: Path) -> None:
    write(tmp_path, *(record(f"{n}.test") for n in range(10)), max_segment_bytes=1000)
    assert len(files(tmp_path)) > 2
    assert all(file.stat().st_size <= 1000 for file in files(tmp_path))
    assert verify(tmp_path).lines == 10
    assert verify(tmp_path).ok


def test_a_batch_larger_than_a_file_stays_whole(tmp_path: Path) -> None:
    with opened(tmp_path, max_segment_bytes=500) as log:
        log.append([record() for _ in range(20)])
    assert verify(tmp_path).lines == 20


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path):
        with pytest.raises(Fault, match="another process writes it") as refused:
            AuditLog(tmp_path, lambda: NOON)
        assert refused.value.code is Code.CONFLICT
    write(tmp_path, record())  # the control: the lock goes with its holder


def test_a_refused_writer_keeps_no_descriptor(tmp_path: Path) -> None:
    with opened(tmp_path):
        before = open_descriptors()
        with pytest.raises(Fault):
            AuditLog(tmp_path, lambda: NOON)
        assert open_descriptors() == before


def test_a_closed_log_refuses(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, lambda: NOON)
    log.close()
    log.close()
    with pytest.raises(Fault, match="it is closed"):
        log.append([record()])


# --- what a killed writer leaves -----------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 2, 40, 200])
def test_a_torn_last_line_is_kept_and_marked(tmp_path: Path, cut: int) -> None:
    write(tmp_path, record("a.test"), record("b.test"))
    whole = the_file(tmp_path).read_bytes()
    the_file(tmp_path).write_bytes(whole[: -1 - cut])
    write(tmp_path, record("c.test"))
    kept = the_file(tmp_path).read_bytes()
    assert kept.startswith(whole[: -1 - cut] + b"\n")
    assert [json.loads(line).get("name") for line in read(tmp_path)] == ["a.test", None, "c.test"]
    assert verify(tmp_path).ok


def test_a_line_that_only_lacks_its_newline_counts(tmp_path: Path) -> None:
    write(tmp_path, record("a.test"))
    whole = the_file(tmp_path).read_bytes()
    the_file(tmp_path).write_bytes(whole[:-1])
    with opened(tmp_path) as log:
        assert log.head.seq == 1
        assert the_file(tmp_path).read_bytes() == whole


def test_zeros_after_a_power_cut_are_kept_and_marked(tmp_path: Path) -> None:
    write(tmp_path, record())
    with the_file(tmp_path).open("ab") as file:
        file.write(b"\0" * 4096)
    write(tmp_path, record())
    assert verify(tmp_path).ok
    assert verify(tmp_path).lines == 3


def test_a_recovery_that_was_killed_itself_is_recovered(tmp_path: Path) -> None:
    write(tmp_path, record())
    with the_file(tmp_path).open("ab") as file:
        file.write(b'{"seq":2,"ti\n{"seq":2,"time":"2025')
    write(tmp_path, record())
    assert verify(tmp_path).ok


def test_the_very_first_line_can_be_torn(tmp_path: Path) -> None:
    write(tmp_path, record())
    whole = the_file(tmp_path).read_bytes()
    the_file(tmp_path).write_bytes(whole[:50])
    write(tmp_path, record())
    assert verify(tmp_path).ok
    assert verify(tmp_path).lines == 2


@pytest.mark.parametrize("left", [0, 50])
def test_a_kill_just_after_rotation_is_recovered(tmp_path: Path, left: int) -> None:
    write(tmp_path, record("a.test"), record("b.test"), max_segment_bytes=1)
    newest = files(tmp_path)[-1]
    newest.write_bytes(newest.read_bytes()[:left])
    write(tmp_path, record("c.test"))
    assert verify(tmp_path).ok
    names = [json.loads(line).get("name") for line in read(tmp_path)]
    assert names == (["a.test", None, "c.test"] if left else ["a.test", "c.test"])


def test_a_log_without_a_good_line_before_it_is_refused(tmp_path: Path) -> None:
    write(tmp_path, record(), record(), max_segment_bytes=1)
    for file in files(tmp_path):
        file.write_bytes(b"nothing\n")
    before = open_descriptors()
    with pytest.raises(Fault, match="no whole line is left") as refused:
        AuditLog(tmp_path, lambda: NOON)
    assert refused.value.code is Code.INTERNAL
    assert "move its files away" in refused.value.hint
    assert open_descriptors() == before


# --- fail closed ---------------------------------------------------------------------------------


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    folder = tmp_path / "audit"
    folder.mkdir()
    (folder / "audit-0000000000000001.jsonl").symlink_to(victim)
    with pytest.raises(Fault, match="cannot write the audit log"):
        AuditLog(folder, lambda: NOON)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(Fault, match="cannot open the audit log"):
        AuditLog(tmp_path / "link", lambda: NOON)
    assert victim.read_bytes() == b"untouched"


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "audit").write_bytes(b"")
    with pytest.raises(Fault, match="cannot open the audit log"):
        AuditLog(tmp_path / "audit", lambda: NOON)


@pytest.mark.parametrize("deed", ["truncate", "append", "remove"])
def test_a_log_changed_by_someone_else_is_not_gone_on_with(tmp_path: Path, deed: str) -> None:
    with opened(tmp_path) as log:
        log.append([record()])
        file = the_file(tmp_path)
        if deed == "truncate":
            os.truncate(file, 10)
        elif deed == "append":
            file.write_bytes(file.read_bytes() + b"forged\n")
        else:
            file.unlink()
        with pytest.raises(Fault, match="someone else changed it"):
            log.append([record()])


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from cleanroom.audit.log import AuditLog
from cleanroom.audit.record import Record
from cleanroom.errors import Fault
from cleanroom.events import LifecycleEvent

log = AuditLog(Path(sys.argv[1]), lambda: 0.0)
line = Record(LifecycleEvent("k", ()))
log.append([line])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    log.append([line] * 20)
    print("written")
except Fault as fault:
    print(fault.code, fault.message.rpartition(": ")[2], log.head.seq)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.append([line])
print(log.head.seq)
"""


def test_a_batch_that_does_not_fit_leaves_nothing_and_later_ones_pass(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["internal File too large 1", "2"]
    assert verify(tmp_path).ok
    assert verify(tmp_path).lines == 2


def test_a_batch_that_cannot_be_taken_back_at_once_is_taken_back_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> int:
        raise OSError(5, "Input/output error")

    real = os.write
    with opened(tmp_path) as log:
        log.append([record()])

        def half(descriptor: int, data: bytes) -> int:
            monkeypatch.setattr(os, "write", failing)
            return real(descriptor, data[:20])

        monkeypatch.setattr(os, "write", half)
        monkeypatch.setattr(os, "ftruncate", failing)
        with pytest.raises(Fault, match="Input/output error"):
            log.append([record()])
        monkeypatch.undo()
        log.append([record()])
    assert verify(tmp_path).ok
    assert verify(tmp_path).lines == 2


def test_a_write_that_goes_in_parts_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    with opened(tmp_path) as log:
        monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]))
        log.append([record(), record()])
    assert verify(tmp_path).ok


def test_the_time_has_one_form() -> None:
    assert rfc3339(0.0) == "1970-01-01T00:00:00.000000Z"
    assert rfc3339(NOON) == "2025-11-25T12:00:00.250000Z"


@pytest.mark.nightly
def test_fifty_thousand_lines_a_second_of_processor_time(tmp_path: Path) -> None:
    batch = [record()] * 50
    with opened(tmp_path, max_segment_bytes=1 << 30) as log:
        start = resource.getrusage(resource.RUSAGE_SELF)
        for _ in range(200):
            log.append(batch)
        end = resource.getrusage(resource.RUSAGE_SELF)
    spent_s = end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
    assert 10_000 / spent_s > 50_000
