"""A value is there for its sandbox, its time and its request, and then it is not (S7, S9)."""

import dataclasses
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cleanroom.decide.mirror import binding_of
from cleanroom.decide.model import Deny
from cleanroom.decide.oauth2 import Minted
from cleanroom.decide.secret import SecretRef
from cleanroom.errors import Code
from cleanroom.gateway.vault import MOST_EARLIER, SandboxSecrets, Secret
from cleanroom.policy.model import OAuth2, SecretBinding

VALUE = b"ghp_0123456789abcdefghijABCDEFGHIJ012345"
GH = SecretBinding("gh", "GH_TOKEN", ("api.example", "uploads.example"), ttl_s=60)


@contextmanager
def file_of(value: bytes) -> Iterator[int]:
    """A file in memory that holds a value."""
    descriptor = os.memfd_create("secret")
    try:
        os.write(descriptor, value)
        yield descriptor
    finally:
        os.close(descriptor)


def secret(value: bytes = VALUE) -> Secret:
    with file_of(value) as descriptor:
        return Secret(descriptor)


class Clock:
    """Seconds that a test says."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def held(
    clock: Clock | None = None, value: bytes = VALUE, **changes: object
) -> tuple[SandboxSecrets, SecretRef]:
    """Return a sandbox's secrets with one in them."""
    secrets = SandboxSecrets(clock or Clock())
    ref = secrets.add(dataclasses.replace(GH, **changes), secret(value))  # type: ignore[arg-type]
    assert isinstance(ref, SecretRef)
    return secrets, ref


def reason(answer: bytes | Deny) -> str:
    assert isinstance(answer, Deny)
    return answer.reason


def test_a_value_is_read_exactly_and_shown_to_nobody() -> None:
    made = secret(b" \xff%s\\1{}[^$ ")
    assert made.reveal() == b" \xff%s\\1{}[^$ "
    assert repr(made) == "Secret(***)"
    assert f"{made}" == "Secret(***)"
    made.wipe()
    assert made.reveal() == b""
    assert bytes(made._pages).strip(b"\0") == b""


def test_only_a_file_in_memory_is_read() -> None:
    ends = os.pipe()
    try:
        with pytest.raises(OSError, match="Invalid argument"):
            Secret(ends[0])
    finally:
        for end in ends:
            os.close(end)


def test_pages_are_locked_where_the_limit_allows() -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    assert secret().is_locked or 0 <= limit < 1024 * 1024


def test_what_cannot_be_a_secret_is_not_kept() -> None:
    secrets = SandboxSecrets(Clock())
    assert secrets.add(GH, secret(b"short")) == "it has fewer than 8 bytes"
    assert "line end" in str(secrets.add(GH, secret(VALUE + b"\n")))
    assert "more than" in str(secrets.add(GH, secret(b"a" * 20_000)))
    assert secrets.refs == ()


def test_a_placeholder_is_the_sandboxs_own() -> None:
    secrets, ref = held()
    assert ref.placeholder.startswith("ghp_")
    assert secrets.take(ref, 1) == VALUE
    assert secrets.echoes().replace(b"<" + VALUE + b">") == f"<{ref.placeholder}>".encode()
    assert secrets.echoes() is secrets.echoes()
    assert VALUE.decode() not in repr(secrets.echoes())
    assert [each[2] for each in secrets.found.find(b"x " + ref.placeholder.encode())] == [ref]
    others, other = held()
    assert other.placeholder != ref.placeholder
    assert "not this sandbox's" in reason(others.take(ref, 1))
    assert VALUE.decode() not in repr(secrets)
    assert repr(secrets) == "SandboxSecrets(gh)"


def test_its_time_ends() -> None:
    clock = Clock()
    secrets, ref = held(clock)
    clock.now = 59.9
    assert secrets.take_lost() == ()
    assert secrets.take(ref, 1) == VALUE
    clock.now = 60
    answer = secrets.take(ref, 1)  # which finds it out of itself: no host is forgotten by that
    assert secrets.take_lost() == ("api.example", "uploads.example")
    assert secrets.take_lost() == ()
    assert "its time is over" in reason(answer)
    assert isinstance(answer, Deny)
    assert answer.code is Code.SECRET_UNAVAILABLE
    assert secrets.echoes().replace(VALUE) == VALUE
    assert not secrets.refs
    # It is still known by sight: sent elsewhere it is a violation as before.
    assert list(secrets.found.find(ref.placeholder.encode()))


def test_one_use_is_one_request() -> None:
    secrets, ref = held(single_use=True)
    assert secrets.take(ref, (1, 1)) == VALUE
    assert secrets.take(ref, (1, 1)) == VALUE
    assert "good for one request" in reason(secrets.take(ref, (1, 2)))


def test_a_narrower_policy_takes_it_away() -> None:
    secrets, ref = held()
    less = dataclasses.replace(GH, allowed_hosts=("api.example",))
    secrets.narrow([less])
    assert secrets.take_lost() == ("uploads.example",)
    [narrower] = secrets.refs
    assert narrower.placeholder == ref.placeholder
    assert narrower.binding.allowed_hosts == ("api.example",)
    assert secrets.take(narrower, 1) == VALUE
    secrets.narrow([])
    assert secrets.take_lost() == ("api.example",)
    assert "no longer binds" in reason(secrets.take(narrower, 1))
    secrets.close()
    assert secrets.refs == ()


def test_a_shorter_time_counts_from_the_beginning_and_a_longer_one_not_at_all() -> None:
    clock = Clock()
    secrets, _ = held(clock)
    for ttl_s in (600, 30, 600):
        secrets.narrow([dataclasses.replace(GH, ttl_s=ttl_s)])
    [ref] = secrets.refs
    clock.now = 29
    assert secrets.take(ref, 1) == VALUE
    clock.now = 30
    assert "its time is over" in reason(secrets.take(ref, 1))


def test_the_end_of_the_sandbox_ends_it() -> None:
    secrets, ref = held()
    secrets.close()
    assert "sandbox has ended" in reason(secrets.take(ref, 1))


def test_of_basic_credentials_the_password_is_hidden_too() -> None:
    secrets, ref = held(value=b"someone:pass-word", kind="basic")
    assert secrets.take(ref, 1) == b"someone:pass-word"
    hidden = secrets.echoes().replace(b"someone:pass-word pass-word someone")
    placeholder = ref.placeholder.encode()
    assert hidden == placeholder + b" " + placeholder + b" someone"
    assert secrets.add(dataclasses.replace(GH, kind="basic"), secret(b"no colon")) == (
        "it is not written user:password"
    )


def test_earlier_tokens_are_searched_for_up_to_a_bound_and_wiped() -> None:
    clock = Clock()
    at = OAuth2("login.test", 443, "/token")
    secrets, ref = held(clock, kind="oauth2", oauth2=at)
    assert "none was minted" in reason(secrets.take(ref, 1))
    tokens = [b"token-%04d" % number for number in range(MOST_EARLIER + 2)]
    for token in tokens:
        secrets.renew("gh", Minted(token, 5.0))
    secrets.renew("another", Minted(b"no token of mine", 5.0))
    assert secrets.take(ref, 1) == tokens[-1]
    assert secrets.has("gh")
    hidden = secrets.echoes().replace(b" ".join(tokens))
    assert hidden.count(ref.placeholder.encode()) == MOST_EARLIER + 1
    clock.now = 5
    assert "its time is over" in reason(secrets.take(ref, 1))
    every = list(secrets._held[ref].every())
    secrets.close()
    assert [each.reveal() for each in every] == [b""] * (MOST_EARLIER + 2)
    secrets.renew("gh", Minted(b"a late token", 5.0))
    assert secrets.echoes().replace(b"a late token") == b"a late token"
    assert not secrets.has("gh")


def test_a_value_of_the_operator_is_no_placeholder_and_no_policys_word() -> None:
    clock = Clock()
    secrets, _ = held(clock)
    bound = secrets.found.refs
    assert secrets.of_operator("mirror:a") is None
    assert isinstance(secrets.add(binding_of("mirror:a"), secret(b"of the operator")), SecretRef)
    assert secrets.found.refs == bound
    assert secrets.of_operator("mirror:a") == b"of the operator"
    assert b"of the operator" not in secrets.echoes().replace(b"it is of the operator.")
    clock.now = 86_400.0
    secrets.narrow([])
    assert secrets.take_lost() == GH.allowed_hosts
    assert secrets.of_operator("mirror:a") == b"of the operator"
    secrets.close()
    assert secrets.of_operator("mirror:a") is None
