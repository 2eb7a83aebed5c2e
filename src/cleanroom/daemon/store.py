"""What the daemon remembers: sandboxes, executions, runs and denials in one SQLite file.

In: the Structs of the API. Out: the same, after any kill. Never: a half-written change, or an
answer made up when the file is damaged. An awaited `put` is durable against the daemon's death
(WAL, written before it returns), which is what an acknowledgement to a client means.

One thread owns the connection: SQLite calls may block, and the event loop must not.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, ParamSpec, Protocol, TypeVar

import msgspec

from cleanroom.api.types import Denial, Execution, Run, Sandbox
from cleanroom.daemon.schema import migrate
from cleanroom.errors import Code, Fault

P = ParamSpec("P")
T = TypeVar("T")

LIVE_SANDBOX: Final = ("provisioning", "ready", "stopping")
LIVE_EXECUTION: Final = ("queued", "running")


class Document(Protocol):
    """Whatever has an id and a state."""

    @property
    def id(self) -> str: ...

    @property
    def state(self) -> str: ...


DocumentT = TypeVar("DocumentT", Sandbox, Execution, Run)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: the newest `limit`, or those older than the id `before`."""

    limit: int = 100
    before: str | None = None


class Approval(NamedTuple):
    """What was approved for the folder with this mark at this path."""

    path: str
    mark: str
    policy_hash: str
    document: bytes


class Store:
    """The open file. Every method raises Fault(internal) if SQLite fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open or create the file. Raises Fault(internal) if it is damaged or too new."""
        await self._call(self._open)

    async def close(self) -> None:
        """Write everything back and close. Idempotent."""
        await self._call(self._close)
        self._thread.shutdown()

    async def put_sandbox(self, sandbox: Sandbox, *, folder: str = "") -> None:
        """Insert or replace a sandbox; `folder` (set once) is where its files are on the host."""
        await self._call(_put_sandbox, self._file, sandbox, folder)

    async def put_execution(self, execution: Execution) -> None:
        """Insert or replace an execution."""
        await self._call(_put_execution, self._file, execution)

    async def put_run(self, run: Run) -> None:
        """Insert or replace a run, and its denials with it."""
        await self._call(_put_run, self._file, run)

    async def sandbox(self, word: str) -> Sandbox | None:
        """Return the sandbox with this id, or the newest with this name."""
        query = (
            "SELECT document FROM sandboxes WHERE id = ?1 OR name = ?1 ORDER BY seq DESC LIMIT 1"
        )
        return await self._one(Sandbox, query, (word,))

    async def execution(self, identifier: str) -> Execution | None:
        """Return the execution with this id."""
        return await self._one(
            Execution, "SELECT document FROM executions WHERE id = ?", (identifier,)
        )

    async def run(self, identifier: str) -> Run | None:
        """Return the run with this id, or the newest run for `last`."""
        if identifier == "last":
            return await self._one(Run, "SELECT document FROM runs ORDER BY seq DESC LIMIT 1", ())
        return await self._one(Run, "SELECT document FROM runs WHERE id = ?", (identifier,))

    async def last_run_of(self, sandbox_id: str) -> Run | None:
        """Return the newest run in a sandbox."""
        query = "SELECT document FROM runs WHERE sandbox_id = ? ORDER BY seq DESC LIMIT 1"
        return await self._one(Run, query, (sandbox_id,))

    async def last_run_in(self, workspace: str) -> Run | None:
        """Return the newest run of a workspace."""
        query = "SELECT document FROM runs WHERE workspace = ? ORDER BY seq DESC LIMIT 1"
        return await self._one(Run, query, (workspace,))

    async def sandboxes(self, page: Page, *, every: bool) -> list[Sandbox]:
        """Return sandboxes, newest first; ended ones too if `every`."""
        where = "1" if every else "state IN ('provisioning', 'ready', 'stopping')"
        return await self._page(Sandbox, "sandboxes", where, (), page)

    async def executions(self, sandbox_id: str, page: Page) -> list[Execution]:
        """Return a sandbox's executions, newest first."""
        return await self._page(Execution, "executions", "sandbox_id = ?", (sandbox_id,), page)

    async def runs(self, page: Page, workspace: str | None = None) -> list[Run]:
        """Return runs, newest first; those of one workspace, if it is given."""
        where, values = ("1", ()) if workspace is None else ("workspace = ?", (workspace,))
        return await self._page(Run, "runs", where, values, page)

    async def unfinished(self) -> tuple[list[Sandbox], list[Execution], list[Run]]:
        """Return what a killed daemon left alive on paper."""
        sandboxes = await self._page(Sandbox, "sandboxes", _in(LIVE_SANDBOX), (), _ALL)
        executions = await self._page(Execution, "executions", _in(LIVE_EXECUTION), (), _ALL)
        runs = await self._page(Run, "runs", _in(LIVE_EXECUTION), (), _ALL)
        return sandboxes, executions, runs

    async def folder_of(self, sandbox_id: str) -> str:
        """Return where the sandbox's files are on the host, "" if unknown or removed."""
        rows = await self._call(
            _select, self._file, "SELECT folder FROM sandboxes WHERE id = ?", (sandbox_id,)
        )
        return str(rows[0][0]) if rows else ""

    async def denials(self, run_id: str) -> list[Denial]:
        """Return what a run was refused."""
        query = (
            "SELECT name, address, port, protocol, code, reason, count, artifact"
            " FROM denials WHERE run_id = ? ORDER BY rowid"
        )
        rows = await self._call(_select, self._file, query, (run_id,))
        return [msgspec.convert(dict(zip(_DENIAL, row, strict=True)), Denial) for row in rows]

    async def add_denial(self, run_id: str, denial: Denial) -> None:
        """Remember a refusal at once, so that a killed daemon's run still shows it."""
        await self._call(_put_denials, self._file, run_id, [denial])

    async def remove_sandbox(self, identifier: str) -> None:
        """Forget a sandbox and its executions; its runs stay."""
        await self._call(_remove_sandbox, self._file, identifier)

    async def prune(self, most: int) -> None:
        """Forget ended runs, executions and sandboxes but the newest `most` of each."""
        await self._call(_prune, self._file, most)

    async def approvals(self, path: str, mark: str) -> list[Approval]:
        """Return the approval of this path, then those of folders with this mark."""
        query = (
            "SELECT path, mark, policy_hash, document FROM approvals"
            " WHERE path = ?1 OR mark = ?2 ORDER BY path != ?1"
        )
        rows = await self._call(_select, self._file, query, (path, mark))
        return [Approval(str(row[0]), str(row[1]), str(row[2]), row[3]) for row in rows]

    async def put_approval(self, approval: Approval) -> None:
        """Remember what was approved for the folder at this path; what was before is gone."""
        await self._call(_put_approval, self._file, approval)

    async def _one(
        self, kind: type[DocumentT], query: str, values: Sequence[str]
    ) -> DocumentT | None:
        rows = await self._call(_select, self._file, query, values)
        return _read(kind, rows[0][0]) if rows else None

    async def _page(
        self, kind: type[DocumentT], table: str, where: str, values: Sequence[str], page: Page
    ) -> list[DocumentT]:
        # `table` and `where` are constants of this file.
        query = (
            f"SELECT document FROM {table} WHERE {where} AND seq <"  # noqa: S608
            f" coalesce((SELECT seq FROM {table} WHERE id = ?), 9223372036854775807)"
            " ORDER BY seq DESC LIMIT ?"
        )
        rows = await self._call(_select, self._file, query, (*values, page.before, page.limit))
        return [_read(kind, row[0]) for row in rows]

    @property
    def _file(self) -> sqlite3.Connection:
        if self._connection is None:
            message = "cannot read the state: the file is not open"
            raise Fault(Code.INTERNAL, message)
        return self._connection

    def _open(self) -> None:
        if not self._path.exists():
            # Complete before it has its name: an empty file of that name is one that was cut.
            new = self._path.with_name(f"{self._path.name}.new")
            new.unlink(missing_ok=True)
            new.touch(mode=0o600)
            _connect(new).close()
            new.rename(self._path)
        if self._path.stat().st_size == 0:
            message = "the file is empty"
            raise sqlite3.DatabaseError(message)
        self._connection = _connect(self._path)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _call(self, work: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, lambda: work(*arguments, **named))
        except (sqlite3.Error, OSError) as error:
            message = f"cannot keep the state in {self._path}: {error}"
            hint = "free space or permissions; if it is damaged, move it away and start again"
            raise Fault(Code.INTERNAL, message, hint) from error


_ALL: Final = Page(limit=1_000_000)
_DENIAL: Final = ("name", "address", "port", "protocol", "code", "reason", "count", "artifact")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    try:
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _in(states: tuple[str, ...]) -> str:
    return "state IN ({})".format(", ".join(f"'{state}'" for state in states))


def _read(kind: type[DocumentT], document: bytes) -> DocumentT:
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"cannot read the state: a {kind.__name__.lower()} in it is damaged"
        raise Fault(Code.INTERNAL, message, "move the state file away and start again") from error


def _select(
    file: sqlite3.Connection, query: str, values: Sequence[str | int | None]
) -> list[tuple[bytes, ...]]:
    return file.execute(query, tuple(values)).fetchall()


def _put_sandbox(file: sqlite3.Connection, sandbox: Sandbox, folder: str) -> None:
    file.execute(
        "INSERT INTO sandboxes (id, name, state, folder, document) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET state = excluded.state, document = excluded.document",
        (sandbox.id, sandbox.name, sandbox.state, folder, msgspec.json.encode(sandbox)),
    )


def _put_execution(file: sqlite3.Connection, execution: Execution) -> None:
    file.execute(
        "INSERT INTO executions (id, sandbox_id, run_id, state, document) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET state = excluded.state, document = excluded.document",
        (
            execution.id,
            execution.sandbox_id,
            execution.run_id,
            execution.state,
            msgspec.json.encode(execution),
        ),
    )


def _put_run(file: sqlite3.Connection, run: Run) -> None:
    file.execute("BEGIN IMMEDIATE")
    try:
        file.execute(
            "INSERT INTO runs (id, sandbox_id, workspace, state, document) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, document = excluded.document,"
            " sandbox_id = excluded.sandbox_id",
            (run.id, run.sandbox_id, run.workspace, run.state, msgspec.json.encode(run)),
        )
        _put_denials(file, run.id, run.denied)
    except BaseException:
        file.execute("ROLLBACK")
        raise
    file.execute("COMMIT")


def _put_approval(file: sqlite3.Connection, approval: Approval) -> None:
    file.execute(
        "INSERT OR REPLACE INTO approvals (path, mark, policy_hash, document) VALUES (?, ?, ?, ?)",
        approval,
    )


def _put_denials(file: sqlite3.Connection, run_id: str, denials: list[Denial]) -> None:
    file.executemany(
        "INSERT INTO denials (run_id, name, address, port, protocol, code, reason, count, artifact)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (run_id, name, address, port, code, artifact)"
        " DO UPDATE SET count = excluded.count",
        [
            (run_id, d.name, d.address, d.port, d.protocol, d.code, d.reason, d.count, d.artifact)
            for d in denials
        ],
    )


def _remove_sandbox(file: sqlite3.Connection, identifier: str) -> None:
    file.execute("BEGIN IMMEDIATE")
    try:
        file.execute("DELETE FROM executions WHERE sandbox_id = ?", (identifier,))
        file.execute("DELETE FROM sandboxes WHERE id = ?", (identifier,))
    except BaseException:
        file.execute("ROLLBACK")
        raise
    file.execute("COMMIT")


def _prune(file: sqlite3.Connection, most: int) -> None:
    file.execute("BEGIN IMMEDIATE")
    try:
        for table, live in (
            ("runs", LIVE_EXECUTION),
            ("executions", LIVE_EXECUTION),
            ("sandboxes", LIVE_SANDBOX),
        ):
            file.execute(
                f"DELETE FROM {table} WHERE NOT {_in(live)} AND seq <="  # noqa: S608 -- names from above
                f" (SELECT seq FROM {table} ORDER BY seq DESC LIMIT 1 OFFSET ?)",
                (most,),
            )
        file.execute("DELETE FROM denials WHERE run_id NOT IN (SELECT id FROM runs)")
    except BaseException:
        file.execute("ROLLBACK")
        raise
    file.execute("COMMIT")
