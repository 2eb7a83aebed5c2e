"""The user's registries and identity, from the places that the clients document."""

from pathlib import Path

import pytest

from cleanroom.client.facts import client_facts, git_identity, registries, without_credentials


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://registry.example/", "https://registry.example/"),
        ("https://registry.example", "https://registry.example/"),
        ("https://me:secret@registry.example:8443/npm/", "https://registry.example:8443/npm/"),
        ("https://registry.example/npm?token=secret", ""),
        ("https://a@b@registry.example/", ""),
        ("file:///etc/passwd", ""),
        ("registry.example", ""),
        ("", ""),
    ],
)
def test_a_url_keeps_no_credentials(url: str, clean: str) -> None:
    assert without_credentials(url) == clean


def home_with(tmp_path: Path, path: str, text: str) -> str:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(text)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("manager", "path", "text"),
    [
        ("npm", ".npmrc", "; mine\n//r.example/:_authToken=x\nregistry = https://r.example/n/\n"),
        ("npm", ".npmrc", 'registry="https://r.example/n/" \n'),
        ("pip", ".config/pip/pip.conf", "[global]\nindex-url = https://r.example/n/\n"),
        ("pip", ".pip/pip.conf", "[list]\nx=1\n[install]\nindex_url=https://r.example/n/ ; c\n"),
        ("uv", ".config/uv/uv.toml", 'index-url = "https://r.example/n/"\n'),
        (
            "uv",
            ".config/uv/uv.toml",
            '[[index]]\nurl = "https://other.example/"\n'
            '[[index]]\nname = "mine"\nurl = "https://r.example/n/"\ndefault = true\n',
        ),
        ("yarn", ".yarnrc.yml", 'npmRegistryServer: "https://r.example/n/"\n'),
        ("yarn", ".yarnrc", 'registry "https://r.example/n/"\n'),
        ("go", ".config/go/env", "GOPROXY=off,https://u:p@r.example/n/|https://b.example\n"),
    ],
)
def test_a_registry_is_read_from_the_users_file(
    tmp_path: Path, manager: str, path: str, text: str
) -> None:
    home = home_with(tmp_path, path, text)
    assert registries({}, home).get(manager) == "https://r.example/n/"


@pytest.mark.parametrize(
    ("manager", "variable"),
    [
        ("npm", "npm_config_registry"),
        ("npm", "NPM_CONFIG_REGISTRY"),
        ("pip", "PIP_INDEX_URL"),
        ("uv", "UV_INDEX_URL"),
        ("uv", "UV_DEFAULT_INDEX"),
        ("yarn", "YARN_NPM_REGISTRY_SERVER"),
        ("yarn", "YARN_REGISTRY"),
        ("go", "GOPROXY"),
    ],
)
def test_a_variable_wins(tmp_path: Path, manager: str, variable: str) -> None:
    home = home_with(tmp_path, ".npmrc", "registry=https://file.example/\n")
    home_with(tmp_path, ".config/pip/pip.conf", "[global]\nindex-url=https://file.example/\n")
    home_with(tmp_path, ".config/uv/uv.toml", 'index-url = "https://file.example/"\n')
    home_with(tmp_path, ".config/go/env", "GOPROXY=https://file.example/\n")
    assert registries({variable: "https://u:p@v.example/"}, home)[manager] == "https://v.example/"


@pytest.mark.parametrize("said", [{"GOPROXY": "direct"}, {"GOPROXY": ""}, {"GOENV": "off"}])
def test_go_can_be_told_to_have_no_proxy(tmp_path: Path, said: dict[str, str]) -> None:
    home = home_with(tmp_path, ".config/go/env", "GOPROXY=https://file.example/\n")
    assert "go" in registries({}, home)
    assert "go" not in registries(said, home)


def test_sections_that_do_not_count_are_passed_over(tmp_path: Path) -> None:
    home = home_with(tmp_path, ".config/pip/pip.conf", "[search]\nindex-url = https://r.example/\n")
    assert "pip" not in registries({"PIP_CONFIG_FILE": ""}, home)


def test_pip_can_be_told_to_read_no_file(tmp_path: Path) -> None:
    home = home_with(tmp_path, ".pip/pip.conf", "[global]\nindex-url = https://r.example/\n")
    assert "pip" not in registries({"PIP_CONFIG_FILE": "/dev/null"}, home)


def test_npms_global_file_is_found_beside_node(tmp_path: Path) -> None:
    home = home_with(tmp_path, "prefix/etc/npmrc", "registry=https://g.example/\n")
    home_with(tmp_path, "prefix/bin/node", "")
    assert registries({"PATH": f"x:{home}/prefix/bin"}, home)["npm"] == "https://g.example/"
    assert registries({"PREFIX": f"{home}/prefix"}, home)["npm"] == "https://g.example/"


def test_an_index_that_is_not_the_default_is_not_it(tmp_path: Path) -> None:
    home = home_with(tmp_path, ".config/uv/uv.toml", '[[index]]\nurl = "https://r.example/"\n')
    assert "uv" not in registries({}, home)


GIT = '[core]\n\teditor = vi\n[user]\n\tname = "Ada L" # me\n\temail = ada@a.example ; work\n'


def test_git_identity_comes_from_the_users_file(tmp_path: Path) -> None:
    home = home_with(tmp_path, ".gitconfig", GIT)
    assert git_identity({}, home) == ("Ada L", "ada@a.example")


def test_git_identity_can_be_elsewhere_or_in_variables(tmp_path: Path) -> None:
    home = home_with(tmp_path, "else", GIT)
    assert git_identity({"GIT_CONFIG_GLOBAL": f"{home}/else"}, home)[0] == "Ada L"
    environ = {"GIT_CONFIG_GLOBAL": f"{home}/else", "GIT_AUTHOR_NAME": "Grace"}
    assert git_identity(environ, home) == ("Grace", "ada@a.example")


def test_facts_hold_no_token(tmp_path: Path) -> None:
    environ = {
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "LANG": "de",
        "NO_COLOR": "1",
        "TERM": "x" * 300,
        "COLORTERM": "bad\udcff",
        "NPM_TOKEN": "secret",
        "npm_config_registry": "https://u:secret@r.example/",
    }
    facts = client_facts(environ, str(tmp_path))
    assert "secret" not in repr(facts)
    assert facts["lang"] == "C.UTF-8"
    assert facts["no_color"] is True
    assert facts["term"] == ""  # what the API would refuse is left out
    assert facts["colorterm"] == ""
