"""Tables are made once and are strict."""

import sqlite3
from pathlib import Path

import pytest

from cleanroom.daemon.schema import MIGRATIONS, migrate


def test_a_new_file_gets_every_version_and_an_old_one_keeps_its_rows(tmp_path: Path) -> None:
    rows: list[tuple[int]] = []
    for _ in range(2):
        connection = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
        migrate(connection)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.execute(
            "INSERT INTO denials VALUES ('r', 'n', '', 1, 'tcp', 'c', 'r', 1, 'a')"
            " ON CONFLICT DO UPDATE SET count = count + 1"
        )
        rows = connection.execute("SELECT count FROM denials").fetchall()
        connection.close()
    assert rows == [(2,)]


def test_a_wrong_type_is_refused_by_the_table(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    migrate(connection)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(
            "INSERT INTO denials VALUES ('r', 'n', '', 'port', 'tcp', 'c', 'r', 1, '')"
        )
    connection.close()


def test_refusals_of_older_versions_are_kept(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    for number, script in enumerate(MIGRATIONS[:2], start=1):
        connection.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")
    row = ("r", "n", "", 1, "tcp", "c", "r", 3)
    connection.execute("INSERT INTO denials VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    migrate(connection)
    assert connection.execute("SELECT * FROM denials").fetchall() == [(*row, "")]
    connection.close()
