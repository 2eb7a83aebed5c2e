"""The state survives its writer, and is never made up (C7)."""

import asyncio
import sqlite3
from pathlib import Path

import msgspec
import pytest

from cleanroom.api.types import Denial, Execution, Run, Sandbox
from cleanroom.daemon.schema import MIGRATIONS
from cleanroom.daemon.store import Page, Store
from cleanroom.errors import Code, Fault


def sandbox(number: int, **changes: object) -> Sandbox:
    """A sandbox's record."""
    made = Sandbox(
        id=f"sbx_{number:020x}",
        name=None,
        state="ready",
        backend="local",
        workspace="/w",
        policy_hash="sha256:0",
        created_at="2026-01-01T00:00:00.000Z",
        expires_at=None,
        ephemeral=True,
    )
    return msgspec.structs.replace(made, **changes)


def execution(number: int, **changes: object) -> Execution:
    """An execution's record."""
    made = Execution(
        id=f"exe_{number:020x}",
        sandbox_id=f"sbx_{1:020x}",
        run_id=f"run_{number:020x}",
        command=["true"],
        state="running",
        created_at="2026-01-01T00:00:00.000Z",
    )
    return msgspec.structs.replace(made, **changes)


def run(number: int, **changes: object) -> Run:
    """A run's record."""
    made = Run(
        id=f"run_{number:020x}",
        sandbox_id=f"sbx_{1:020x}",
        execution_id=f"exe_{number:020x}",
        state="running",
        command=["true"],
        workspace="/w",
        backend="local",
        policy_hash="sha256:0",
        created_at="2026-01-01T00:00:00.000Z",
    )
    return msgspec.structs.replace(made, **changes)


def denial(port: int, count: int = 1) -> Denial:
    """A refusal."""
    return Denial(
        name="evil.test",
        address="",
        port=port,
        protocol="tcp",
        code="host_not_allowed",
        reason="no",
        count=count,
    )


async def opened(path: Path) -> Store:
    """Open a store."""
    store = Store(path)
    await store.open()
    return store


def test_what_was_put_is_there_after_the_writer_is_gone(tmp_path: Path) -> None:
    async def conversation() -> None:
        first = await opened(tmp_path / "state.db")
        await first.put_sandbox(sandbox(1, name="dev"), folder="/f")
        await first.put_execution(execution(1))
        await first.put_run(run(1, denied=[denial(443, 2)]))
        # Not closed: as if its process had been killed now.
        second = await opened(tmp_path / "state.db")
        assert await second.sandbox("dev") == sandbox(1, name="dev")
        assert await second.folder_of(sandbox(1).id) == "/f"
        assert await second.execution(execution(1).id) == execution(1)
        assert await second.run("last") == run(1, denied=[denial(443, 2)])
        assert await second.denials(run(1).id) == [denial(443, 2)]
        sandboxes, executions, runs = await second.unfinished()
        assert (len(sandboxes), len(executions), len(runs)) == (1, 1, 1)
        await first.close()
        await second.close()

    asyncio.run(conversation())


def test_a_newer_state_replaces_the_older_and_keeps_the_folder(tmp_path: Path) -> None:
    async def conversation() -> None:
        store = await opened(tmp_path / "state.db")
        await store.put_sandbox(sandbox(1), folder="/f")
        await store.put_sandbox(sandbox(1, state="stopped"))
        assert await store.folder_of(sandbox(1).id) == "/f"
        assert await store.unfinished() == ([], [], [])
        await store.close()

    asyncio.run(conversation())


def test_denials_are_counted_in_place(tmp_path: Path) -> None:
    async def conversation() -> None:
        store = await opened(tmp_path / "state.db")
        await store.add_denial("run_1", denial(443))
        await store.add_denial("run_1", denial(443, 5))
        await store.add_denial("run_1", denial(80))
        assert [each.count for each in await store.denials("run_1")] == [5, 1]
        await store.close()

    asyncio.run(conversation())


def test_lists_are_paged_newest_first(tmp_path: Path) -> None:
    async def conversation() -> None:
        store = await opened(tmp_path / "state.db")
        for number in range(1, 6):
            await store.put_run(run(number))
            await store.put_sandbox(sandbox(number, state="ready" if number == 5 else "stopped"))
            await store.put_execution(execution(number))
        first = await store.runs(Page(limit=2))
        assert [each.id for each in first] == [run(5).id, run(4).id]
        rest = await store.runs(Page(limit=10, before=first[-1].id))
        assert [each.id for each in rest] == [run(3).id, run(2).id, run(1).id]
        assert [each.id for each in await store.sandboxes(Page(), every=False)] == [sandbox(5).id]
        assert len(await store.sandboxes(Page(), every=True)) == 5
        assert len(await store.executions(sandbox(1).id, Page())) == 5
        assert await store.last_run_in("/w") == run(5)
        assert await store.last_run_of(sandbox(1).id) == run(5)
        await store.close()

    asyncio.run(conversation())


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    async def conversation() -> None:
        store = await opened(tmp_path / "state.db")
        assert await store.sandbox("sbx") is None
        assert await store.execution("exe") is None
        assert await store.run("last") is None
        assert await store.run("run") is None
        assert await store.folder_of("sbx") == ""
        await store.close()
        await store_is_closed(store)

    async def store_is_closed(store: Store) -> None:
        with pytest.raises((Fault, RuntimeError)):
            await store.run("last")

    asyncio.run(conversation())


def _fails_to_open(path: Path) -> Fault:
    with pytest.raises(Fault) as caught:
        asyncio.run(opened(path))
    assert caught.value.code is Code.INTERNAL
    return caught.value


@pytest.mark.parametrize("content", [b"", b"x" * 8192, b"SQLite format 3\0" + b"\0" * 8000])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    _fails_to_open(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    async def fill() -> None:
        store = await opened(tmp_path / "state.db")
        for number in range(200):
            await store.put_run(run(number))
        await store.close()

    asyncio.run(fill())
    path = tmp_path / "state.db"
    path.write_bytes(path.read_bytes()[:20_000])
    _fails_to_open(path)


def test_a_file_of_a_newer_cleanroom_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    assert "newer cleanroom" in _fails_to_open(path).message


def test_a_folder_that_cannot_be_written_is_a_clean_error(tmp_path: Path) -> None:
    _fails_to_open(tmp_path / "none" / "state.db")


@pytest.mark.parametrize("document", ["7b7d", "7b22c9223a317d"])  # {} and no UTF-8
def test_a_damaged_record_is_an_error_and_not_a_guess(tmp_path: Path, document: str) -> None:
    async def conversation() -> None:
        store = await opened(tmp_path / "state.db")
        await store.put_run(run(1))
        with sqlite3.connect(tmp_path / "state.db") as other:
            other.execute("UPDATE runs SET document = ?", (bytes.fromhex(document),))
        other.close()
        with pytest.raises(Fault):
            await store.run("last")
        await store.close()

    asyncio.run(conversation())


def test_a_failed_write_leaves_nothing_of_itself(tmp_path: Path) -> None:
    async def conversation() -> None:
        store = await opened(tmp_path / "state.db")
        with sqlite3.connect(tmp_path / "state.db") as other:
            other.execute("DROP TABLE denials")
        other.close()
        with pytest.raises(Fault):
            await store.put_run(run(1, denied=[denial(443)]))
        assert await store.run("last") is None
        await store.close()

    asyncio.run(conversation())


def test_old_records_go_and_live_ones_stay(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store(tmp_path / "state.db")
        await store.open()
        for number in range(1, 7):
            ended = "running" if number == 1 else "succeeded"
            await store.put_run(run(number, state=ended, denied=[denial(443)]))
            await store.put_execution(execution(number, state=ended))
            await store.put_sandbox(sandbox(number, state="ready" if number == 1 else "stopped"))
        await store.prune(2)
        numbers = [1, 5, 6]
        assert [each.id for each in await store.runs(Page())] == [
            run(number).id for number in reversed(numbers)
        ]
        assert [bool(await store.denials(run(number).id)) for number in (1, 2, 6)] == [
            True,
            False,
            True,
        ]
        assert {each.id for each in await store.sandboxes(Page(), every=True)} == {
            sandbox(number).id for number in numbers
        }
        assert await store.execution(execution(4).id) is None
        assert await store.execution(execution(1).id) is not None
        await store.close()

    asyncio.run(main())
