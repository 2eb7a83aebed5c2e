"""Which files are keys or credentials, and which only look like it."""

import pytest

from cleanroom.backends.workspace.credentials import (
    is_secret_file,
    is_secret_folder,
    looks_secret,
    needs_look,
)
from cleanroom.policy.agent_recipes import RECIPES


@pytest.mark.parametrize(
    "path",
    [
        ".env", "a/.env", ".env.local", ".env.production", ".netrc", ".pypirc", ".git-credentials",
        "id_rsa", "keys/id_ed25519", "x.p12", "release.jks", ".aws/credentials",
        ".boto", "a/.cargo/credentials.toml", ".claude/.credentials.json", ".codex/auth.json",
        ".copilot/config.json",
        ".config/gh/hosts.yml", "gcp/application_default_credentials.json", ".databrickscfg",
        "sub/.docker/config.json", ".kube/config", ".envrc",
    ],
)  # fmt: skip
def test_names_that_say_it(path: str) -> None:
    assert is_secret_file(path)


def test_every_login_file_of_an_agent_is_one() -> None:
    """A folder of settings that is kept in git holds them too."""
    logins = [each.login for recipe in RECIPES.values() for each in recipe.credentials]
    paths = [login[0] for login in logins if login is not None]
    assert paths
    assert [path for path in paths if not is_secret_file(f"dotfiles/{path}")] == []


@pytest.mark.parametrize(
    "path",
    [
        "env", ".env.example", ".env.sample", "a/.env.template", "id_rsa.pub", "credentials",
        "docker/config.json", "environment.ts", "my.aws/credentials",
        "codex/auth.json", "auth.json", ".npmrc", "cacert.pem",
    ],
)  # fmt: skip
def test_names_that_do_not(path: str) -> None:
    assert not is_secret_file(path)


@pytest.mark.parametrize(
    ("path", "head"),
    [
        (".npmrc", b"//registry.example/:_authToken=abc\n"),
        ("a/.npmrc", b"_auth = dXNlcg==\n"),
        (".npmrc", b"registry=https://u:p@registry.example/\n"),
        (".yarnrc.yml", b"npmAuthToken: abc\n"),
        (".yarnrc.yml", b'npmAuthToken: "abc"\n'),
        ("pip.conf", b"[global]\nindex-url = https://u:p@registry.example/simple\n"),
        ("server.pem", b"text\n-----BEGIN RSA PRIVATE KEY-----\n"),
        ("x/y.key", b"-----BEGIN PRIVATE KEY-----\n"),
        ("y.key", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
    ],
)
def test_content_that_says_it(path: str, head: bytes) -> None:
    assert needs_look(path)
    assert looks_secret(path, head)


@pytest.mark.parametrize(
    ("path", "head"),
    [
        (".npmrc", b"registry=https://registry.example/\nsave-exact=true\n"),
        (".npmrc", b"//registry.example/:_authToken=${NPM_TOKEN}\n"),
        (".yarnrc.yml", b"npmAuthToken: ${NPM_TOKEN}\nnodeLinker: node-modules\n"),
        ("pip.conf", b"[global]\nindex-url = https://registry.example/simple\n"),
        ("cacert.pem", b"-----BEGIN CERTIFICATE-----\n"),
        ("id.key", b"-----BEGIN PUBLIC KEY-----\n"),
        ("music.key", b"C major"),
    ],
)
def test_content_that_does_not(path: str, head: bytes) -> None:
    assert needs_look(path)
    assert not looks_secret(path, head)


def test_folders_of_keys_are_left_out_whole() -> None:
    assert [name for name in (".ssh", ".gnupg", ".aws", "ssh") if is_secret_folder(name)] == [
        ".ssh",
        ".gnupg",
    ]
