"""The tables of the state file, version by version.

In: an open connection. Out: the newest tables. Never: an old table changed without a migration, or
a file written by a newer cleanroom touched.

Messages are kept whole as JSON documents (`document`), beside the few columns that are searched.
"""

import sqlite3
from typing import Final

from cleanroom.errors import Code, Fault

# One entry a version; `user_version` counts those carried out. Never edit one that was released.
MIGRATIONS: Final = (
    """
    CREATE TABLE sandboxes (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        name TEXT,
        state TEXT NOT NULL,
        folder TEXT NOT NULL,
        document BLOB NOT NULL
    ) STRICT;
    CREATE INDEX sandboxes_name ON sandboxes (name);
    CREATE INDEX sandboxes_state ON sandboxes (state);
    CREATE TABLE executions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        sandbox_id TEXT NOT NULL,
        run_id TEXT NOT NULL,
        state TEXT NOT NULL,
        document BLOB NOT NULL
    ) STRICT;
    CREATE INDEX executions_sandbox ON executions (sandbox_id);
    CREATE INDEX executions_state ON executions (state);
    CREATE TABLE runs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        sandbox_id TEXT NOT NULL,
        workspace TEXT NOT NULL,
        state TEXT NOT NULL,
        document BLOB NOT NULL
    ) STRICT;
    CREATE INDEX runs_sandbox ON runs (sandbox_id);
    CREATE INDEX runs_workspace ON runs (workspace);
    CREATE INDEX runs_state ON runs (state);
    CREATE TABLE denials (
        run_id TEXT NOT NULL,
        name TEXT NOT NULL,
        address TEXT NOT NULL,
        port INTEGER NOT NULL,
        protocol TEXT NOT NULL,
        code TEXT NOT NULL,
        reason TEXT NOT NULL,
        count INTEGER NOT NULL,
        UNIQUE (run_id, name, address, port, code)
    ) STRICT;
    """,
    """
    CREATE TABLE approvals (
        path TEXT PRIMARY KEY,
        mark TEXT NOT NULL,
        policy_hash TEXT NOT NULL,
        document BLOB NOT NULL
    ) STRICT;
    CREATE INDEX approvals_mark ON approvals (mark);
    """,
    """
    ALTER TABLE denials RENAME TO denials_of_hosts;
    CREATE TABLE denials (
        run_id TEXT NOT NULL,
        name TEXT NOT NULL,
        address TEXT NOT NULL,
        port INTEGER NOT NULL,
        protocol TEXT NOT NULL,
        code TEXT NOT NULL,
        reason TEXT NOT NULL,
        count INTEGER NOT NULL,
        artifact TEXT NOT NULL,
        UNIQUE (run_id, name, address, port, code, artifact)
    ) STRICT;
    INSERT INTO denials
        SELECT run_id, name, address, port, protocol, code, reason, count, ''
        FROM denials_of_hosts ORDER BY rowid;
    DROP TABLE denials_of_hosts;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to the newest tables. Raises Fault(internal) if it is damaged or too new."""
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL: a commit survives the death of this process, which is what is promised, without an
    # fsync each; a power cut may lose the last ones, never the file (SQLite, PRAGMA synchronous).
    connection.execute("PRAGMA synchronous = NORMAL")
    _check(connection)
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        message = f"cannot read {_path(connection)}: a newer cleanroom wrote it (version {version})"
        raise Fault(Code.INTERNAL, message, "use that version, or move the file away")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")


def _path(connection: sqlite3.Connection) -> str:
    """Return where the file is; the person may have to move it."""
    return str(connection.execute("PRAGMA database_list").fetchone()[2])


def _check(connection: sqlite3.Connection) -> None:
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        message = f"cannot read {_path(connection)}: the file is damaged"
        raise Fault(
            Code.INTERNAL, message, "move it away and start again; the audit log is separate"
        )
