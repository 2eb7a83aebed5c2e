"""What a host can show: made-up file systems, and this machine's own."""

import os
from pathlib import Path

import pytest

from cleanroom.backends.host import find_program, read_host
from cleanroom.errors import UserError
from cleanroom.sandbox.host import Link, ToolFolder

ONE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
TWO = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----\nS3CRET\n-----END PRIVATE KEY-----"


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def test_a_merged_usr_is_one_folder_and_links(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    facts = read_host(root=tmp_path)
    assert facts.system == ("/usr",)
    assert facts.links == (Link("/bin", "usr/bin"),)


def test_folders_that_are_not_merged_are_shown_too(tmp_path: Path) -> None:
    (tmp_path / "lib64").mkdir()
    assert read_host(root=tmp_path).system == ("/usr", "/lib64")


def test_of_etc_only_the_short_list_and_only_what_everybody_may_read(tmp_path: Path) -> None:
    put(tmp_path / "etc", dict.fromkeys(
        ("ld.so.cache", "shadow", "passwd", "npmrc", "pip.conf", "services", "python3.11/x"), ""
    ))  # fmt: skip
    (tmp_path / "etc/services").chmod(0o600)
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Etc/UTC")
    os.mkfifo(tmp_path / "etc/rpc")
    facts = read_host(root=tmp_path)
    assert facts.etc == ("/etc/python3.11",)
    assert facts.etc_files == ("/etc/ld.so.cache",)
    assert facts.links == (Link("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC"),)


def test_the_bundle_is_certificates_and_never_a_key(tmp_path: Path) -> None:
    put(tmp_path, {
        "etc/ssl/certs/ca-certificates.crt": f"{ONE}\n{ONE}\n",
        "etc/ssl/cert.pem": "not looked at",
        "corp.pem": f"text\n{KEY}\n{TWO}\n",
        "cut.pem": f"-----BEGIN CERTIFICATE-----\n{KEY}\n{TWO}\n",
    })  # fmt: skip
    trust = [str(tmp_path / name) for name in ("corp.pem", "cut.pem")]
    assert read_host(trust=trust, root=tmp_path).ca_bundle == f"{ONE}\n{TWO}\n".encode()


def test_a_host_without_a_bundle_has_an_empty_one(tmp_path: Path) -> None:
    assert read_host(root=tmp_path).ca_bundle == b""


@pytest.mark.parametrize("name", ["missing.pem", "empty.pem"])
def test_roots_that_are_none_are_the_operators_fault(tmp_path: Path, name: str) -> None:
    put(tmp_path, {"empty.pem": KEY})
    with pytest.raises(UserError, match=name):
        read_host(trust=[str(tmp_path / name)], root=tmp_path)


def test_a_tool_folder_is_canonical_and_knows_its_bins(tmp_path: Path) -> None:
    put(tmp_path, dict.fromkeys(("nvm/v20/bin/node", "nvm/v22/bin/node", "nvm/a/b/c/d/bin/x"), ""))
    (tmp_path / "alias").symlink_to("nvm")
    found = read_host(tools=[str(tmp_path / "alias")], root=tmp_path).tools
    nvm = tmp_path / "nvm"
    assert found == (ToolFolder(str(nvm), (f"{nvm}/v20/bin", f"{nvm}/v22/bin")),)


@pytest.mark.parametrize("folder", ["/nonexistent", "/", "~"])
def test_a_tool_folder_that_is_none_or_too_much_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UserError, match="cannot show"):
        read_host(tools=[folder], root=tmp_path)


def test_this_machine_shows_a_usr_and_roots() -> None:
    facts = read_host()
    assert "/usr" in facts.system
    assert facts.ca_bundle.startswith(b"-----BEGIN ")
    assert b"PRIVATE KEY" not in facts.ca_bundle
    assert "/etc/ld.so.cache" in (*facts.etc, *facts.etc_files)


def test_a_large_file_is_shown_rather_than_copied(tmp_path: Path) -> None:
    put(tmp_path / "etc", {"magic": "x" * 262_144, "mime.types": "x" * 262_145})
    facts = read_host(root=tmp_path)
    assert (facts.etc, facts.etc_files) == (("/etc/mime.types",), ("/etc/magic",))


def test_java_is_found_in_the_system_and_among_the_tools(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    put(tmp_path, {"jdk/bin/java": ""})
    assert not read_host(root=tmp_path).has_java
    assert read_host(tools=[str(tmp_path / "jdk")], root=tmp_path).has_java
    put(tmp_path, {"usr/bin/java": ""})
    assert read_host(root=tmp_path).has_java


def test_a_program_is_found_where_the_callers_path_leads(tmp_path: Path) -> None:
    put(tmp_path, {"real/tool": "", "other/tool": ""})
    (tmp_path / "real/tool").chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").symlink_to("../real/tool")
    path = f"{tmp_path}/other:{tmp_path}/bin"
    assert find_program("tool", path) == (f"{tmp_path}/bin/tool", f"{tmp_path}/real/tool")
    assert find_program("tool", f"{tmp_path}/real") == (f"{tmp_path}/real/tool",)
    assert find_program("none", path) == ()
    assert find_program("", path) == ()
    assert find_program("bin/tool", path) == ()
    assert find_program("tool", "real") == ()
