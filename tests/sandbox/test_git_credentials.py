import base64

from cleanroom.policy.model import GitScope, SecretBinding
from cleanroom.sandbox.git_credentials import git_credentials


def test_git_is_told_a_credential_for_its_repositories_alone() -> None:
    git = GitScope(("team/*", "other/lib"), username="me")
    bindings = [
        SecretBinding("forge", "TOKEN", ("code.example",), git=git),
        SecretBinding("every", "EVERY", ("git.example",), git=GitScope(("*",))),
        SecretBinding("plain", "PLAIN", ("api.example",)),
        SecretBinding("gone", "GONE", ("old.example",), git=git),
    ]
    field = f"Authorization: Basic {base64.b64encode(b'me:t').decode()}"
    other = f"Authorization: Basic {base64.b64encode(b'x-access-token:e').decode()}"
    said = dict(git_credentials(bindings, {"TOKEN": "t", "EVERY": "e", "PLAIN": "p"}))
    assert said == {
        "http.https://code.example/team/.extraHeader": field,
        "http.https://code.example/other/lib.extraHeader": field,
        "http.https://code.example/other/lib.git.extraHeader": field,
        "http.https://git.example/.extraHeader": other,
    }


def test_without_one_nothing_is_set() -> None:
    plain = SecretBinding("plain", "PLAIN", ("api.example",))
    assert not list(git_credentials([plain], {"PLAIN": "p"}))
