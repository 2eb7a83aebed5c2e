"""Files into a real sandbox and out of it: data, whatever was made of them inside (I8, I12)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.escape.control import Served, somebody

pytestmark = pytest.mark.escape

HOSTILE = """
mkdir -p d/.git/hooks d/deep; echo evil > d/.git/hooks/pre-commit; mkfifo d/fifo
ln -s /etc/passwd d/out; ln -s ../../victim d/up; ln -s deep d/in; ln -s in/x d/through
echo data > d/deep/file; ln d/deep/file d/second; chmod 6777 d/deep/file; chmod 000 d/.git
python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('d/socket')" || true
printf x > "d/$(printf 'new\\nline')"; mkdir "d/$(printf 'n%.0s' $(seq 200))"
chmod 700 d/.git
"""


@pytest.fixture(scope="module")
def served(programs: Path) -> Iterator[Served]:
    """A daemon with one sandbox that stays."""
    assert programs.is_dir()
    with somebody() as one:
        made = one.person.types("sandboxes", "create", "dev")
        assert made.returncode == 0, made.stderr
        yield one


def test_what_comes_out_is_data(served: Served) -> None:
    person = served.person
    done = person.types("exec", "--sandbox", "dev", "--", "sh", "-c", HOSTILE)
    assert done.returncode == 0, done.stderr
    copied = person.types("cp", "dev:d", "brought")
    assert copied.returncode == 0, copied.stderr
    found = {
        str(Path(folder, name).relative_to(person.work / "brought"))
        for folder, folders, files in os.walk(person.work / "brought")
        for name in (*folders, *files)
    }
    assert found == {"deep", "deep/file", "second", "in", "new\nline", "n" * 200}
    brought = person.work / "brought"
    assert brought.joinpath("deep/file").read_text() == "data\n"
    assert brought.joinpath("deep/file").stat().st_mode & 0o7777 == 0o755
    assert str((brought / "in").readlink()) == "deep"
    for path in ("out", "up", "through", "fifo", ".git"):
        assert f"left out {path}" in copied.stderr


def test_what_goes_in_comes_out_the_same(served: Served) -> None:
    person = served.person
    tree = person.work / "tree"
    (tree / "sub").mkdir(parents=True)
    content = os.urandom(3_000_000)
    (tree / "sub" / "blob").write_bytes(content)
    (tree / "sub" / "empty").touch()
    (tree / "run").write_text("#!/bin/sh\necho ran\n")
    (tree / "run").chmod(0o755)
    assert person.types("cp", "tree", "dev:there").returncode == 0
    assert person.types("exec", "--sandbox", "dev", "--", "./there/run").stdout == "ran\n"
    assert person.types("cp", "dev:there", "back").returncode == 0
    assert (person.work / "back" / "sub" / "blob").read_bytes() == content
    assert (person.work / "back" / "sub" / "empty").read_bytes() == b""
    listed = person.types("sandboxes", "files", "dev", "there/sub").stdout
    assert "3000000" in listed
    refused = person.types("cp", "tree", "dev:/usr/bin")
    assert refused.returncode == 1
    assert "cannot write the files: tar:" in refused.stderr
