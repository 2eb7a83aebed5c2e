"""config.yaml is read strictly, each value with its origin."""

import json
import os
from ipaddress import ip_address
from pathlib import Path

import pytest

from cleanroom.daemon.config import (
    changed_file,
    every_key,
    has_variable,
    load_config,
    parse_config,
    report,
    variable_of,
)
from cleanroom.daemon.config_page import render_markdown
from cleanroom.daemon.settings import Settings
from cleanroom.decide.address import Guard, judge_address, make_guard
from cleanroom.policy.problems import FileErrors

ROOT = Path(__file__).resolve().parents[2]

EVERYTHING = """\
tools: [/opt/node, /home/a/.nvm]
gateway:
  private_hosts: [registry.corp.example, '*.Lab.example']
  resolvers: [192.0.2.53, "[2001:db8::53]:5353"]
  trust: [/etc/corp.pem]
  proxy: proxy.corp.example:3128
limits:
  sandboxes: 3
  executions: 4
  kept_output: 1MiB
  output_window: 64KiB
  kept_changes: 1GiB
  keep_changes_for: 2h
daemon:
  autostart: false
  idle_exit: 90s
  stop_grace: 1s
  attach_wait: 2s
"""


def problems(text: str) -> list[str]:
    """Return what is wrong with a configuration."""
    with pytest.raises(FileErrors) as caught:
        parse_config(text, "config.yaml", {})
    return [str(each) for each in caught.value.problems]


def test_an_empty_file_means_the_defaults() -> None:
    assert parse_config("", "config.yaml", {}).settings == Settings()
    assert parse_config("# nothing\n", "config.yaml", {}).settings == Settings()


def test_every_key_is_obeyed() -> None:
    settings = parse_config(EVERYTHING, "config.yaml", {}).settings
    assert settings.tools == ("/opt/node", "/home/a/.nvm")
    assert settings.gateway.private_hosts == ("registry.corp.example", "*.lab.example")
    assert settings.gateway.resolvers == ("192.0.2.53", "[2001:db8::53]:5353")
    assert settings.gateway.trust == ("/etc/corp.pem",)
    assert settings.gateway.proxy == "proxy.corp.example:3128"
    assert (settings.limits.sandboxes, settings.limits.executions) == (3, 4)
    assert (settings.limits.kept_output, settings.limits.output_window) == (1 << 20, 1 << 16)
    assert (settings.limits.kept_changes, settings.limits.keep_changes_for) == (1 << 30, 7200)
    assert (settings.daemon.autostart, settings.daemon.idle_exit) == (False, 90)
    assert (settings.daemon.stop_grace, settings.daemon.attach_wait) == (1, 2)


def test_all_mistakes_are_listed_with_their_places() -> None:
    found = problems("gateways: {}\nlimits:\n  sandboxes: many\ndaemon:\n  autostart: yes\n")
    assert [line.split(": ")[0] for line in found] == [
        "config.yaml:1:1",
        "config.yaml:3:14",
        "config.yaml:5:14",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2\n",
        "- list\n",
        "tools: [relative/path]\n",
        "gateway:\n  proxy: no-port\n",
        "gateway:\n  private_hosts: ['*.com']\n",
        "x: &a 1\n",
    ],
)
def test_what_is_no_configuration_is_refused(text: str) -> None:
    assert problems(text)


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1", "64:ff9b::808:808", "100.64.0.1"])
def test_the_line_that_a_refusal_names_is_read_and_lifts_it(address: str) -> None:
    refused = judge_address(Guard(), "", ip_address(address))
    assert refused is not None
    line = refused.reason.rpartition("gateway.private_hosts: ")[2]
    config = parse_config(f"gateway:\n  private_hosts: {line}\n", "config.yaml", {})
    guard = make_guard(config.settings.gateway.private_hosts, [])
    assert judge_address(guard, "", ip_address(address)) is None


def test_more_mistakes_than_anybody_reads_are_cut() -> None:
    assert len(problems("".join(f"key{number}: 1\n" for number in range(500)))) == 50


def test_a_variable_is_stronger_than_the_file() -> None:
    environment = {
        "CLEANROOM_LIMITS_SANDBOXES": "7",
        "CLEANROOM_GATEWAY_PRIVATE_HOSTS": "a.example, b.example",
        "CLEANROOM_DAEMON_AUTOSTART": "true",
    }
    config = parse_config(EVERYTHING, "config.yaml", environment)
    assert config.settings.limits.sandboxes == 7
    assert config.settings.gateway.private_hosts == ("a.example", "b.example")
    assert config.settings.daemon.autostart
    assert config.settings.limits.executions == 4
    assert config.origins["limits.sandboxes"] == "CLEANROOM_LIMITS_SANDBOXES"
    assert config.origins["limits.executions"] == "config.yaml:9"


def test_a_wrong_variable_is_refused() -> None:
    with pytest.raises(
        FileErrors, match=r"^CLEANROOM_LIMITS_SANDBOXES:1:1: cannot use 'none' for "
    ):
        parse_config("", "config.yaml", {"CLEANROOM_LIMITS_SANDBOXES": "none"})
    with pytest.raises(FileErrors, match=r"^CLEANROOM_GATEWAY_PRIVATE_HOSTS:1:1: "):
        parse_config("", "config.yaml", {"CLEANROOM_GATEWAY_PRIVATE_HOSTS": "a.example, *.com"})


def test_every_value_is_shown_with_its_origin() -> None:
    shown = report(parse_config("limits:\n  sandboxes: 3\n", "config.yaml", {}))
    values = {each.key: (json.loads(each.value), each.origin) for each in shown.values}
    assert set(values) == {name for name, _ in every_key()}
    assert values["limits.sandboxes"] == (3, "config.yaml:2")
    assert values["daemon.autostart"] == (True, "default")
    assert values["tools"] == ([], "default")
    assert values["limits.kept_output"] == ("4MiB", "default")
    assert values["limits.keep_changes_for"] == ("1d", "default")
    assert values["daemon.stop_grace"] == ("5s", "default")


def test_the_page_names_every_key_and_its_variable() -> None:
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert page == render_markdown()
    for name, key in every_key():
        assert f"`{name}`" in page
        assert (f"`{variable_of(name)}`" in page) is has_variable(key)


def test_a_missing_file_is_no_mistake_and_an_unreadable_one_is(tmp_path: Path) -> None:
    assert load_config(tmp_path / "none.yaml", {}).settings == Settings()
    with pytest.raises(FileErrors, match="cannot read it"):
        load_config(tmp_path, {})


def test_a_pipe_keeps_no_daemon_waiting(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    config = load_config(file, {})
    os.mkfifo(file)
    with pytest.raises(FileErrors, match="it is a pipe"):
        load_config(file, {})
    assert changed_file(config) == str(file)


def test_a_file_is_read_from_its_place(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(EVERYTHING)
    assert load_config(file, {}).settings.limits.sandboxes == 3
    assert load_config(file, {}).path == str(file)


def test_a_file_that_changed_after_it_was_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    config = load_config(file, {})
    assert not report(config).changed
    file.write_text("limits:\n  sandboxes: 3\n")
    assert report(config).changed
    config = load_config(file, {})
    assert not report(config).changed
    file.unlink()
    file.mkdir()
    assert report(config).changed


def test_a_certificate_that_changed_after_it_was_read_is_told(tmp_path: Path) -> None:
    file, roots = tmp_path / "config.yaml", tmp_path / "roots.pem"
    roots.write_text("one")
    file.write_text(f"gateway:\n  trust: [{roots}]\n")
    config = load_config(file, {})
    assert changed_file(config) == ""
    roots.write_text("another")
    assert changed_file(config) == str(roots)
    roots.unlink()
    assert changed_file(config) == str(roots)
    config = load_config(file, {})
    assert changed_file(config) == ""
    file.write_text("")
    assert changed_file(config) == str(file)


def test_a_program_that_was_installed_anew_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "src" / "cleanroom" / "__init__.py"
    program.parent.mkdir(parents=True)
    program.write_text("one")
    monkeypatch.setattr("cleanroom.__file__", str(program))
    config = load_config(tmp_path / "none.yaml", {})
    assert changed_file(config) == ""
    fresh = tmp_path / "fresh"
    fresh.write_text("one")
    fresh.replace(program)
    assert changed_file(config) == str(program.parent)
    config = load_config(tmp_path / "none.yaml", {})
    assert changed_file(config) == ""
    commits = tmp_path / ".git" / "logs" / "HEAD"
    commits.parent.mkdir(parents=True)
    commits.write_text("pulled")
    assert changed_file(config) == str(program.parent)
