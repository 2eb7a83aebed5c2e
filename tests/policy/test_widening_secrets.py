"""Paths are compared by segments; the rest of a binding is in test_widening.py."""

from dataclasses import replace

import pytest

from cleanroom.policy.model import GitScope, OAuth2, PushRules, SecretBinding
from cleanroom.policy.widening_secrets import is_below, secret_text, widened_secrets


@pytest.mark.parametrize(
    ("path", "prefix", "below"),
    [
        ("/api", "/api", True),
        ("/api/v1", "/api", True),
        ("/api/v1", "/api/", True),
        ("/api", "/api/", False),
        ("/apix", "/api", False),
        ("/", "/api", False),
        ("/anything", "/", True),
    ],
)
def test_a_path_lies_below_a_prefix_by_whole_segments(
    path: str,
    prefix: str,
    below: bool,  # noqa: FBT001
) -> None:
    assert is_below(path, prefix) is below


def test_a_longer_path_narrows() -> None:
    def binding(*paths: str) -> tuple[SecretBinding, ...]:
        return (SecretBinding("gh", "GH", ("a.example",), paths=paths),)

    assert not list(widened_secrets(binding("/api"), binding("/api/v1", "/api/v2")))
    assert list(widened_secrets(binding("/api/v1"), binding("/api")))


def test_a_binding_in_words_has_no_value_to_show() -> None:
    text = secret_text(SecretBinding("gh", "GH", ("a.example", "b.example"), ports=(443, 8443)))
    assert text == "gh (GH) to a.example, b.example on port 443, 8443"


def test_another_place_or_way_to_mint_tokens_widens() -> None:
    def binding(kind: str = "oauth2", **changes: str) -> tuple[SecretBinding, ...]:
        at = replace(OAuth2("login.example", 443, "/t"), **changes)  # type: ignore[arg-type]
        minted = at if kind == "oauth2" else None
        return (SecretBinding("gh", "GH", ("a.example",), kind=kind, oauth2=minted),)

    (change,) = widened_secrets(binding(), binding(host="b.example", scope="all"))
    assert change.text().startswith("secret gh.oauth2: host=login.example port=443 path=/t")
    assert "-> host=b.example" in change.text()
    assert "scope=all" in change.text()
    kinds = [change.text() for change in widened_secrets(binding("static"), binding())]
    assert "secret gh.kind: static -> oauth2" in kinds
    assert not list(widened_secrets(binding(), binding()))
    (one,) = binding(host="b.example")
    assert secret_text(one).endswith("on port 443, minted at https://b.example/t")
    (one,) = (replace(each, oauth2=OAuth2("b.example", 8443, "/t")) for each in binding())
    assert secret_text(one).endswith("minted at https://b.example:8443/t")


READ = GitScope(("team/*",))
PUSH = GitScope(("team/*",), PushRules(("agent/*",)))


@pytest.mark.parametrize(
    ("old", "new", "wider"),
    [
        (READ, READ, []),
        (READ, GitScope(("team/lib", "team/sub/*")), []),
        (GitScope(("team/lib",)), READ, ["secret gh git repositories: team/*"]),
        (READ, GitScope(("*",)), ["secret gh git repositories: *"]),
        (READ, GitScope(("team/*",), None, "me"), ["secret gh git username: x-access-token -> me"]),
        (READ, PUSH, ["secret gh git push branches: agent/*"]),
        (PUSH, READ, []),
        (PUSH, GitScope(("team/*",), PushRules(("agent/fix",))), []),
        (PUSH, GitScope(("team/*",), PushRules(("*",))), ["secret gh git push branches: *"]),
        (
            PUSH,
            GitScope(("team/*",), PushRules(("agent/*",), force=True, delete=True)),
            ["secret gh git push force: false -> true", "secret gh git push delete: false -> true"],
        ),
        (GitScope(("team/*",), PushRules(("agent/*",), force=True, delete=True)), PUSH, []),
    ],
)
def test_what_git_may_do_more_widens(old: GitScope, new: GitScope, wider: list[str]) -> None:
    before, after = ((SecretBinding("gh", "GH", ("a.example",), git=git),) for git in (old, new))
    assert [each.text() for each in widened_secrets(before, after)] == wider


def test_to_be_gits_own_and_not_to_be_are_other_places() -> None:
    bindings = [(SecretBinding("gh", "GH", ("a.example",), git=git),) for git in (None, READ)]
    for old, new in (bindings, bindings[::-1]):
        [change] = widened_secrets(old, new)
        assert change.what == "secret gh git"


def test_what_git_may_do_is_said_in_words() -> None:
    push = PushRules(("agent/*", "fix"), force=True, delete=True)
    binding = SecretBinding("gh", "GH", ("a.example",), git=GitScope(("team/*",), push))
    assert secret_text(binding) == (
        "gh (GH) to a.example on port 443, for git repositories team/*, "
        "to push branches agent/*, fix by force and delete them"
    )
    binding = SecretBinding("gh", "GH", ("a.example",), git=PUSH)
    assert secret_text(binding).endswith("team/*, to push branches agent/*")
