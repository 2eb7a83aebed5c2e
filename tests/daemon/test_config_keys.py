"""The table of keys: what it says of defaults is what happens."""

import pytest

from cleanroom.daemon.config import every_key, parse_config
from cleanroom.daemon.config_keys import CONFIG
from cleanroom.policy.fields import Section
from cleanroom.policy.problems import FileErrors


def test_a_default_that_is_shown_is_the_one_in_force() -> None:
    words = {"none", "any", "those of the host", "`mise` of the caller's PATH"}
    for name, key in every_key():
        if key.shown in words:
            assert key.default in ((), "")
            continue
        section, _, inner = name.rpartition(".")
        text = f"{section}:\n  {inner}: {key.shown}\n" if section else f"{inner}: {key.shown}\n"
        said = parse_config(text, "config.yaml", {})
        assert said.settings == parse_config("", "config.yaml", {}).settings, name


def test_every_section_is_a_table_too() -> None:
    assert [key.name for key in CONFIG.keys if isinstance(key.value, Section)] == [
        "gateway",
        "limits",
        "daemon",
        "workspace",
        "mise",
        "cache",
    ]


def test_mounts_are_written_as_on_the_command_line() -> None:
    text = "workspace: {mounts: [/a, '/a:/b', '/a:/c:rw', '/d:rw', '/e:ro']}"
    found = parse_config(text, "config.yaml", {}).settings.workspace.mounts
    assert [each.text() for each in found] == ["/a", "/a:/b", "/a:/c:rw", "/d:rw", "/e"]


@pytest.mark.parametrize("mount", ["a", "/a:b", "/a:/b:/c", "/a:", "/a:rx", ":/a"])
def test_what_is_no_mount_is_refused(mount: str) -> None:
    with pytest.raises(FileErrors, match="DIR"):
        parse_config(f"workspace: {{mounts: ['{mount}']}}", "config.yaml", {})
