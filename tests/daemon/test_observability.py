"""run-observability.json is whole or not there, and tools are asked without a shell."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from cleanroom.daemon.observability import FILE, Observability, system, version_of
from cleanroom.errors import Fault
from tests.daemon.test_store import run


def program(folder: Path, name: str, text: str) -> Path:
    """Write a program."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / name
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(0o755)
    return place


def test_the_file_is_the_record(tmp_path: Path) -> None:
    observability = Observability(tmp_path / "runs", "/nowhere")
    asyncio.run(observability.write(run(1)))
    folder = tmp_path / "runs" / run(1).id
    assert json.loads((folder / FILE).read_text())["id"] == run(1).id
    assert [each.name for each in folder.iterdir()] == [FILE]


def test_a_folder_that_cannot_be_made_is_a_clean_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(Fault):
        asyncio.run(Observability(tmp_path / "runs", "/nowhere").write(run(1)))


def test_the_oldest_files_go(tmp_path: Path) -> None:
    observability = Observability(tmp_path / "runs", "/nowhere")
    asyncio.run(observability.prune(1))  # nothing has run yet
    for number in (1, 2, 3):
        asyncio.run(observability.write(run(number)))
        os.utime(tmp_path / "runs" / run(number).id, (number, number))
    asyncio.run(observability.prune(2))
    left = {each.name for each in (tmp_path / "runs").iterdir()}
    assert left == {run(2).id, run(3).id}


def test_tools_are_found_with_their_versions(tmp_path: Path) -> None:
    bins = tmp_path / "bin"
    program(bins, "node", "echo v20.1.2")
    program(bins, "git", "echo git version 2.47.3")
    program(bins, "python3", "exit 0")
    package = tmp_path / "lib" / "npm"
    real = program(package / "bin", "npm-cli.js", "sleep 60")
    (package / "package.json").write_text('{"version": "11.1.0"}')
    (bins / "npm").symlink_to(real)
    observability = Observability(tmp_path / "runs", str(bins))
    asyncio.run(observability.find_tools())
    found = observability.environment()
    assert found["node.version"] == "20.1.2"
    assert found["git.version"] == "2.47.3"
    assert found["npm.version"] == "11.1.0"
    assert found["python3.version"] == ""
    assert found["node.path"] == str(bins / "node")


def test_a_tool_that_says_nothing_or_cannot_start_has_no_version(tmp_path: Path) -> None:
    (tmp_path / "npm").write_text("")
    assert asyncio.run(version_of("npm", str(tmp_path / "npm"))) == ""
    broken = tmp_path / "node"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o755)
    assert asyncio.run(version_of("node", str(broken))) == ""


def test_the_system_is_named() -> None:
    assert system()["kernel"] == os.uname().release
    assert system()["os"]
