"""What the workspace says for a first policy."""

import json
from pathlib import Path

import pytest

from cleanroom.client.init_facts import (
    configured_sites,
    git_remotes,
    host_lines,
    host_of,
    is_below,
    lockfiles,
    managers,
    scoped_sites,
    site_of,
)
from cleanroom.policy.lock_hosts import hosts_in_lockfile


def lock(hosts: list[str], indent: int | None) -> str:
    packages = {
        f"node_modules/p{index}": {"resolved": f"https://{host}/p{index}.tgz"}
        for index, host in enumerate(hosts)
    }
    return json.dumps({"packages": packages}, indent=indent)


@pytest.mark.parametrize("indent", [2, None])
def test_of_a_lock_file_one_line_a_host_is_enough(indent: int | None) -> None:
    text = lock(["a.example", "b.example:8443"] * 500, indent)
    short = host_lines(text)
    assert len(short) < 500
    assert hosts_in_lockfile("package-lock.json", short) == hosts_in_lockfile(
        "package-lock.json", text
    )


def test_managers_are_told_by_their_files(tmp_path: Path) -> None:
    for name in ("package.json", "yarn.lock", "requirements-dev.txt"):
        (tmp_path / name).touch()
    assert managers(tmp_path) == ["yarn", "npm", "pip"]
    assert managers(tmp_path / "absent") == []


def test_lock_files_with_hosts_are_sent_and_manifests_are_not(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"homepage": "https://h.example/"}')
    (tmp_path / "package-lock.json").write_text(lock(["a.example"], 2))
    (tmp_path / "uv.lock").write_bytes(b"\xff")
    (tmp_path / "requirements-x.txt").write_text("six==1\n")
    (tmp_path / "requirements.txt").write_text("six==1 --hash=sha256:ab\n")
    found = lockfiles(tmp_path)
    assert list(found) == ["package-lock.json", "requirements-x.txt", "requirements.txt"]
    assert (found["requirements-x.txt"], found["requirements.txt"]) == ("", "# --hash=sha256:ab")


def test_lock_files_of_projects_below_the_root_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository of several projects; what is installed, hidden or deep is none of them."""
    for path in (
        "go.sum", "apps/web/package-lock.json", "tools/requirements-dev.txt",
        "apps/web/node_modules/x/yarn.lock", ".cache/x/yarn.lock", "a/b/c/uv.lock",
        "tools/pyproject.toml",
    ):  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    found = ["apps/web/package-lock.json", "go.sum", "tools/requirements-dev.txt"]
    assert list(lockfiles(tmp_path)) == found
    assert managers(tmp_path) == ["npm", "go", "pip"]
    monkeypatch.setattr("cleanroom.client.lockfiles.MAX_ENTRIES", 6)
    assert list(lockfiles(tmp_path)) == ["go.sum"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".yarnrc.yml", 'nodeLinker: pnp\nnpmRegistryServer: "https://y.example"\n'),
        (".yarnrc", 'registry "https://y.example/"\n'),
    ],
)
def test_yarn_has_a_configuration_of_its_own(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert configured_sites(tmp_path, {}, str(tmp_path)) == {"yarn": ["y.example"]}
    (tmp_path / name).write_text("registry x\nnpmRegistryServer: [\n")
    assert configured_sites(tmp_path, {}, str(tmp_path)) == {}


def test_the_projects_own_registry_wins(tmp_path: Path) -> None:
    environ = {"npm_config_registry": "https://user.example/", "PIP_INDEX_URL": "http://i.example/"}
    assert configured_sites(tmp_path, environ, str(tmp_path)) == {
        "npm": ["user.example"],
        "pip": ["i.example:80"],
    }
    (tmp_path / ".npmrc").write_text("registry=https://t:x@project.example/npm/\n")
    found = configured_sites(tmp_path, environ, str(tmp_path / "home"))
    assert found["npm"] == ["project.example/npm"]


def test_a_registry_below_a_path_is_named_with_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".config/go").mkdir(parents=True)
    base = "https://me:secret@corp.example/repository"
    (home / ".npmrc").write_text(
        f"registry={base}/npm/\n@own:registry={base}/own\n//corp.example/:_authToken=x\n"
    )
    (home / ".config/go/env").write_text(f"GOPROXY={base}/go,direct\n")
    environ = {
        "UV_DEFAULT_INDEX": f"{base}/pypi/simple/",
        "PIP_INDEX_URL": f"{base}/devpi/+simple",
        "YARN_NPM_REGISTRY_SERVER": f"{base}/yarn",
    }
    (tmp_path / ".npmrc").write_text('@theirs:registry = "https://scoped.example/npm"\n')
    assert configured_sites(tmp_path, environ, str(home)) == {
        "npm": ["corp.example/repository/npm"],
        "pip": ["corp.example/repository/devpi"],
        "uv": ["corp.example/repository/pypi"],
        "yarn": ["corp.example/repository/yarn"],
        "go": ["corp.example/repository/go"],
    }
    scoped = ["scoped.example/npm", "corp.example/repository/own"]
    assert scoped_sites(tmp_path, environ, str(home)) == scoped


def test_what_is_no_registry_of_a_scope_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text("@x:registry=y\n@own:always-auth=true\n")
    assert scoped_sites(tmp_path, {}, str(tmp_path)) == []


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://a.example", "a.example"),
        ("https://a.example/simple/", "a.example"),
        ("https://a.example/x/simple", "a.example/x"),
        ("https://a.example/root/pypi/+simple/", "a.example/root/pypi"),
        ("https://a.example/simpler", "a.example/simpler"),
        ("https://a.example:8443/npm/", "a.example:8443/npm"),
        ("nonsense", ""),
    ],
)
def test_the_site_of_a_registry_is_what_its_addresses_begin_with(url: str, site: str) -> None:
    assert site_of(url) == site


def test_a_site_covers_what_is_below_it_by_whole_parts() -> None:
    assert is_below("a.example/npm/x", "a.example/npm")
    assert is_below("a.example/npm", "a.example/npm")
    assert is_below("a.example/npm", "a.example")
    assert not is_below("a.example/npmx", "a.example/npm")
    assert not is_below("a.example.evil/npm", "a.example")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://a.example/x", "a.example"),
        ("https://u:p@a.example:443/x", "a.example"),
        ("ssh://git@a.example/x", "a.example:22"),
        ("git://a.example/x", "a.example:9418"),
        ("https://a.example:99999/", ""),
        ("/just/a/path", ""),
    ],
)
def test_a_host_has_its_port_where_it_is_not_443(url: str, host: str) -> None:
    assert host_of(url) == host


def test_remotes_are_hosts_without_users(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(
        '[remote "origin"]\n\turl = git@a.example:me/repo.git\n'
        '[remote "web"]\n\turl = https://me:secret@b.example/r.git\n'
        '[remote "disk"]\n\turl = ../other\n'
    )
    assert git_remotes(tmp_path) == ["a.example:22", "b.example"]
