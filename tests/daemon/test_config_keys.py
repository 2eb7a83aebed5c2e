"""The table of keys: what it says of defaults is what happens."""

from cleanroom.daemon.config import every_key, parse_config
from cleanroom.daemon.config_keys import CONFIG
from cleanroom.policy.fields import Section


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
