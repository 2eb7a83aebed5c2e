from dataclasses import replace

from cleanroom.decide.pack import BAD, LARGE
from cleanroom.errors import Code
from cleanroom.gateway.mismatch import mismatch
from tests.gateway.upstreams import artifact, sha256, want


def test_it_says_what_came_and_what_binds() -> None:
    asked = want(artifact(b"x"))
    deny = mismatch(asked, sha256(b"y"))
    assert deny.code is Code.INTEGRITY_MISMATCH
    assert deny.reason.startswith("ms 2.1.3 is not what it must be: npm.example sent sha256:")
    assert deny.reason.endswith("... is pinned by package-lock.json:12; it was discarded")
    seen = mismatch(want(artifact(None)), sha256(b"y"), sha256(b"z"))
    assert seen.reason.endswith("... was seen first; it was discarded")
    git = want(replace(artifact(None), manager="git"))
    bad = mismatch(git, f"{BAD}lacks 0a2d2506c1fe, which an object of it names")
    assert bad.code is Code.INTEGRITY_MISMATCH
    assert bad.reason.startswith("npm.example sent a pack which lacks 0a2d2506c1fe")
    large = mismatch(git, f"{LARGE}has 200001 objects, more than the 200000 that are checked")
    assert large.code is Code.LOCKFILE_VIOLATION
    assert large.reason.endswith(
        "fetch it with --depth 1, or let all of it pass: registries.git.exceptions: [{purl:"
        " 'pkg:generic/ms?vcs_url=git+https://npm.example/ms', expires: YYYY-MM-DD, reason: WHY}]"
    )
    assert mismatch(git, "a pack that is cut").code is Code.UPSTREAM_UNREACHABLE
    why = mismatch(asked, "no digest of Go's, since it is no zip")
    assert "sent no digest of Go's, since it is no zip, but" in why.reason
