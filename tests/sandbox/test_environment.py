"""The environment of a sandbox: built, and only from what was said."""

import pytest

from cleanroom.errors import Code, UserError
from cleanroom.sandbox.environment import CA_VARIABLES, build_environment, override, search_path
from cleanroom.sandbox.host import CA_BUNDLE, ClientEnvironment, ToolFolder

SYSTEM = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
NVM = ToolFolder("/home/x/.nvm", ("/home/x/.nvm/versions/node/v22/bin",))


SILENT = ClientEnvironment()


def built(client: ClientEnvironment = SILENT) -> dict[str, str]:
    return dict(build_environment(client))


def test_nothing_said_gives_the_fixed_part() -> None:
    assert set(built()) == {
        "CI", "CLEANROOM", "HOME", "LANG", "LOGNAME", "PATH", "SHELL", "SSL_CERT_DIR", "TERM",
        "TMPDIR", "USER", "UV_SYSTEM_CERTS", *CA_VARIABLES,
        "CARGO_NET_RETRY", "PIP_RETRIES", "UV_HTTP_RETRIES", "YARN_HTTP_RETRY",
        "npm_config_fetch_retries", "npm_config_fetch_retry_maxtimeout",
        "npm_config_fetch_retry_mintimeout",
        "GIT_TERMINAL_PROMPT", "PIP_DISABLE_PIP_VERSION_CHECK", "npm_config_audit",
        "npm_config_update_notifier",
    }  # fmt: skip
    assert built()["HOME"] == "/home/cleanroom"
    assert built()["TERM"] == "dumb"
    assert built()["LANG"] == "C.UTF-8"


def test_every_certificate_variable_names_the_one_bundle() -> None:
    assert {built()[name] for name in CA_VARIABLES} == {CA_BUNDLE}


def test_what_the_client_said_is_inside() -> None:
    client = ClientEnvironment(
        term="xterm-256color",
        colorterm="truecolor",
        lang="de_DE.UTF-8",
        tz="Europe/Berlin",
        no_color=True,
        git_name="Ada",
        git_email="ada@example.com",
    )
    said = {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "de_DE.UTF-8",
        "TZ": "Europe/Berlin",
        "NO_COLOR": "1",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_EMAIL": "ada@example.com",
    }
    assert built(client).items() >= said.items()


def test_a_registry_reaches_the_variables_its_client_reads() -> None:
    url = "https://registry.example/simple"
    client = ClientEnvironment(
        registries=tuple((name, url) for name in ("npm", "pip", "uv", "yarn", "go", "other"))
    )
    assert {name for name, value in built(client).items() if value == url} == {
        "npm_config_registry",
        "PIP_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "GOPROXY",
        "YARN_REGISTRY",
        "YARN_NPM_REGISTRY_SERVER",
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://user:password@registry.example/",
        "https://token@registry.example/",
        "https://registry.example/?token=1",
        "file:///etc/passwd",
        "https:///no-host",
        "https://[broken/",
        "https://registry.example/\nnpm_config_ca=x",
        "",
    ],
)
def test_a_registry_with_credentials_or_none_at_all_stays_out(url: str) -> None:
    assert url not in built(ClientEnvironment(registries=(("npm", url),))).values()


def test_a_value_of_several_lines_stays_out() -> None:
    client = ClientEnvironment(term="x\ny", lang="a\x1b", git_name="a\nb", tz="\0")
    assert not {"TZ", "GIT_AUTHOR_NAME"} & set(built(client))
    assert (built(client)["TERM"], built(client)["LANG"]) == ("dumb", "C.UTF-8")


def test_e_comes_last_and_wins() -> None:
    environment = override((("A", "1"), ("HOME", "/x")), (("HOME", ""), ("Z", "a=b")))
    assert environment == (("A", "1"), ("HOME", ""), ("Z", "a=b"))


@pytest.mark.parametrize("pair", [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "\0")])
def test_e_that_no_environment_can_hold_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(UserError) as error:
        override((), (pair,))
    assert error.value.code is Code.REQUEST_INVALID


@pytest.mark.parametrize(
    ("path", "tools", "first"),
    [
        ("/home/x/bin:/usr/bin", (), ()),
        ("/home/x/.nvm/v20/bin:/usr/bin", (NVM,), ("/home/x/.nvm/v20/bin",)),
        ("/usr/bin", (NVM,), ("/home/x/.nvm/versions/node/v22/bin",)),
        ("/home/x/.nvmother/bin", (NVM,), ("/home/x/.nvm/versions/node/v22/bin",)),
        ("/opt/t", (ToolFolder("/opt/t"),), ("/opt/t",)),
        ("", (ToolFolder("/opt/t"), NVM), ("/home/x/.nvm/versions/node/v22/bin",)),
    ],
)  # fmt: skip
def test_path_is_the_callers_choice_of_tools_then_the_system(
    path: str, tools: tuple[ToolFolder, ...], first: tuple[str, ...]
) -> None:
    assert search_path(path, tools) == (*first, *SYSTEM)


def test_java_is_told_of_its_trust_store_if_there_is_one() -> None:
    assert "JAVA_TOOL_OPTIONS" not in dict(build_environment(ClientEnvironment()))
    told = dict(build_environment(ClientEnvironment(), java_trust=True))["JAVA_TOOL_OPTIONS"]
    assert told == "-Djavax.net.ssl.trustStore=/etc/ssl/certs/java/cacerts"
