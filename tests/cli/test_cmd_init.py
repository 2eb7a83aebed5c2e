"""`cleanroom init`: facts in, a file out, never over another."""

import json

import pytest

from cleanroom.cli import cmd_init
from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

TEXT = "version: 1\n# made\n"


@pytest.fixture(autouse=True)
def _managers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer for the package managers of this machine; test_ask.py asks the real ones."""
    monkeypatch.setattr(cmd_init, "npm_registry", lambda environ: "https://npm.example/")
    monkeypatch.setattr(cmd_init, "yarn_registry", lambda environ: "https://yarn.example/")
    monkeypatch.setattr(
        cmd_init, "pip_defaults", lambda environ: ("https://pip.example/simple", "files.example")
    )
    monkeypatch.setattr(cmd_init, "file_sites", lambda index: ["asked.example"])
    monkeypatch.setattr(cmd_init, "cargo_index", lambda environ: "https://index.example/")
    monkeypatch.setattr(cmd_init, "crate_sites", lambda index: ["crates.example"])
    monkeypatch.setattr(cmd_init, "go_proxies", lambda environ: ["https://proxy.example/"])


def made(cli: CommandLine) -> dict[str, object]:
    cli.script.answers["POST /v1/policy/init"] = Answer({"text": TEXT, "notes": ["a note"]})
    cli.script.answers["POST /v1/policy/approve"] = Answer({"needed": False})
    return {}


def test_the_file_is_written_and_the_next_step_said(cli: CommandLine) -> None:
    made(cli)
    done = cli("init")
    assert done.status == 0
    assert (cli.folder / "cleanroom.yaml").read_text() == TEXT
    assert done.out == f"wrote {cli.folder}/cleanroom.yaml\n"
    assert "note: a note" in done.err
    assert "next: cleanroom exec -- COMMAND" in done.err


def test_where_a_run_would_wait_for_a_yes_the_next_step_is_to_give_it(cli: CommandLine) -> None:
    made(cli)
    cli.script.answers["POST /v1/policy/approve"] = Answer({"needed": True})
    assert "next: cleanroom policy approve" in cli("init").err
    asked = cli.daemon.sent("POST", "/v1/policy/approve").json()
    assert (asked["check"], asked["policy"]["text"]) == (True, TEXT)


def test_yarn_is_asked_for_itself_unless_the_repository_says_its_registry(cli: CommandLine) -> None:
    made(cli)
    (cli.folder / "yarn.lock").touch()
    cli("init", "--print")
    asked = cli.daemon.sent("POST", "/v1/policy/init").json()
    assert asked["defaults"] == {"npm": ["npm.example"], "yarn": ["yarn.example"]}
    (cli.folder / ".yarnrc.yml").write_text("npmRegistryServer: https://own.example\n")
    cli.daemon.requests.clear()
    cli("init", "--print")
    asked = cli.daemon.sent("POST", "/v1/policy/init").json()
    assert (asked["configured"]["yarn"], "yarn" in asked["defaults"]) == (["own.example"], False)


def test_a_policy_is_never_written_over_unasked(cli: CommandLine) -> None:
    made(cli)
    cli.policy("mine\n")
    assert cli("init").status == 1
    assert (cli.folder / "cleanroom.yaml").read_text() == "mine\n"
    assert cli("init", "--print").out == TEXT
    assert (cli.folder / "cleanroom.yaml").read_text() == "mine\n"
    assert cli("init", "--force", "--json").status == 0
    assert (cli.folder / "cleanroom.yaml").read_text() == TEXT


def test_facts_are_those_of_the_repository(cli: CommandLine) -> None:
    made(cli)
    (cli.folder / "package.json").touch()
    (cli.folder / "requirements.txt").touch()
    cli("init", "--print")
    facts = cli.daemon.sent("POST", "/v1/policy/init").json()
    assert facts["managers"] == ["npm", "pip"]
    assert facts["project"] == "repo"
    assert facts["defaults"] == {
        "npm": ["npm.example"],
        "pip": ["pip.example", "asked.example"],
    }


def test_offline_pips_own_file_host_is_used(cli: CommandLine) -> None:
    made(cli)
    (cli.folder / "setup.py").touch()
    cli("init", "--print", "--offline")
    facts = cli.daemon.sent("POST", "/v1/policy/init").json()
    assert facts["defaults"] == {"pip": ["pip.example", "files.example"]}


def test_what_the_user_configured_is_not_a_default(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(cli)
    monkeypatch.setenv("PIP_INDEX_URL", "https://mine.example/simple")
    monkeypatch.setenv("npm_config_registry", "https://n.example/")
    (cli.folder / "package.json").touch()
    (cli.folder / "setup.py").touch()
    assert json.loads(cli("init", "--print", "--json").out)["path"] is None
    facts = cli.daemon.sent("POST", "/v1/policy/init").json()
    assert facts["defaults"] == {}
    assert facts["configured"] == {
        "npm": ["n.example"],
        "pip": ["mine.example", "asked.example"],
    }


def test_cargo_and_go_are_asked_where_they_find_packages(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(cli)
    monkeypatch.delenv("GOPROXY", raising=False)
    for name in ("Cargo.lock", "Cargo.toml", "go.mod", "go.sum"):
        (cli.folder / name).write_text("")
    cli("init", "--print")
    facts = cli.daemon.sent("POST", "/v1/policy/init").json()
    assert facts["managers"] == ["cargo", "go"]
    assert facts["lockfiles"] == {"Cargo.lock": "", "go.sum": ""}
    assert facts["defaults"] == {
        "cargo": ["index.example", "crates.example"],
        "go": ["proxy.example"],
    }


def test_what_is_configured_for_cargo_and_go_is_used(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(cli)
    monkeypatch.setenv("GOPROXY", "https://mine.example,direct")
    (cli.folder / "go.mod").touch()
    (cli.folder / "Cargo.toml").touch()
    (cli.folder / ".cargo").mkdir()
    (cli.folder / ".cargo/config.toml").write_text(
        '[source.crates-io]\nreplace-with = "own"\n'
        '[source.own]\nregistry = "sparse+https://own.example/i/"\n'
    )
    assert (
        "config.json was not asked: add the host of its `dl`"
        in cli("init", "--print", "--offline").err
    )
    facts = cli.daemon.sent("POST", "/v1/policy/init").json()
    assert facts["defaults"] == {}
    assert facts["configured"] == {"cargo": ["own.example/i"], "go": ["mine.example"]}


def test_registries_of_scopes_and_an_index_of_uvs_own_are_beside_the_others(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(cli)
    (cli.folder / "package-lock.json").touch()
    (cli.folder / "uv.lock").touch()
    (cli.folder / ".npmrc").write_text("@own:registry=https://corp.example/repository/own/\n")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://corp.example/repository/pypi/simple/")
    cli("init", "--print")
    facts = cli.daemon.sent("POST", "/v1/policy/init").json()
    assert facts["defaults"]["npm"] == ["npm.example", "corp.example/repository/own"]
    assert facts["configured"] == {"uv": ["corp.example/repository/pypi", "asked.example"]}
