"""The host's side of mise: plain files only, a program that nobody else wrote, measured."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from cleanroom.daemon import mise_files
from cleanroom.daemon.mise_files import Program, Programs, read_files
from cleanroom.daemon.settings import MiseSettings
from cleanroom.errors import Refused, UserError
from cleanroom.sandbox.mise import MAX_FILE_BYTES

PROGRAM = b"\x7fELF of a test"
DIGEST = hashlib.sha256(PROGRAM).hexdigest()


@pytest.fixture(autouse=True)
def no_usual_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mise_files, "_USUAL", "/nowhere")


def make_program(path: Path, content: bytes = PROGRAM) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def find(path: str = "", program: str = "", sha256: str = "") -> Program | None:
    return asyncio.run(Programs(MiseSettings(program, sha256)).find(path))


def test_files_that_exist_are_read(tmp_path: Path) -> None:
    (tmp_path / ".mise").mkdir()
    (tmp_path / ".mise" / "config.toml").write_text("a")
    (tmp_path / "mise.toml").write_text("b")
    names = ("mise.toml", ".mise/config.toml", "mise.lock", "absent/mise.lock")
    assert read_files(str(tmp_path), names) == {"mise.toml": b"b", ".mise/config.toml": b"a"}
    assert read_files(str(tmp_path / "absent"), names) == {}


def test_a_link_a_fifo_and_a_huge_file_are_said(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("[tools]")
    (tmp_path / "link.toml").symlink_to("secret")
    os.mkfifo(tmp_path / "fifo.toml")
    (tmp_path / "folder").symlink_to("/etc")
    (tmp_path / "huge.toml").write_bytes(bytes(MAX_FILE_BYTES + 1))
    for name in ("link.toml", "fifo.toml", "huge.toml"):
        with pytest.raises(UserError, match=f"cannot read {name}"):
            read_files(str(tmp_path), (name,))
    assert read_files(str(tmp_path), ("folder/hostname",)) == {}


def test_the_program_of_the_path_is_found_through_its_link_and_measured(tmp_path: Path) -> None:
    real = make_program(tmp_path / "real" / "mise")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mise").symlink_to(real)
    assert find(str(tmp_path / "bin")) == Program(str(real), DIGEST)
    assert find("/nowhere") is None


def test_a_script_of_npm_leads_to_the_binary_in_the_package_beside_it(tmp_path: Path) -> None:
    scope = tmp_path / "node_modules" / "@jdxcode"
    script = make_program(scope / "mise" / "mise", b"#!/usr/bin/env node\n")
    assert find(str(script.parent)) is None
    for machine in ("x64", "arm64"):
        make_program(scope / f"mise-linux-{machine}" / "bin" / "mise")
    found = find(str(script.parent))
    assert found is not None
    assert found.path.startswith(str(scope / "mise-linux-"))


def test_a_configured_program_must_be_there(tmp_path: Path) -> None:
    program = make_program(tmp_path / "mise-1.0")
    assert find(program=str(program)) == Program(str(program), DIGEST)
    for wrong in (tmp_path / "absent", make_program(tmp_path / "script", b"#!/bin/sh\n")):
        with pytest.raises(UserError, match="as mise: it is no program"):
            find(program=str(wrong))


def test_a_program_that_others_can_write_is_none(tmp_path: Path) -> None:
    make_program(tmp_path / "mise").chmod(0o777)
    assert find(str(tmp_path)) is None


def test_another_checksum_is_refused_also_when_the_file_changes_later(tmp_path: Path) -> None:
    program = make_program(tmp_path / "mise")
    programs = Programs(MiseSettings(str(program), DIGEST))
    assert asyncio.run(programs.find("")) == Program(str(program), DIGEST)
    make_program(program, PROGRAM + b", changed")
    with pytest.raises(Refused, match="its SHA-256 is") as refused:
        asyncio.run(programs.find(""))
    assert refused.value.code == "integrity_mismatch"
