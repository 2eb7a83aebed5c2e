import pytest

from cleanroom.policy.git_purl import exception_for, read_git_purl

C = "0a2d2506c1fe299691fc5db53a2097db3bd615bc"


@pytest.mark.parametrize(
    ("purl", "read"),
    [
        (f"pkg:github/team/lib@{C}", ("github.com/team/lib", C)),
        (f"pkg:github/team/lib@{C.upper()}", ("github.com/team/lib", C)),
        (f"pkg:github/team/lib%40{C}", ("github.com/team/lib", C)),
        ("pkg:gitlab/team/sub/lib", ("gitlab.com/team/sub/lib", "")),
        (f"pkg:bitbucket/team/lib@{C}", ("bitbucket.org/team/lib", C)),
        (f"pkg:generic/lib?vcs_url=git+https://h.example/a/lib@{C}", ("h.example/a/lib", C)),
        (
            f"pkg:generic/lib?vcs_url=git%2Bhttps://h.example/a/lib.git%40{C}",
            ("h.example/a/lib", C),
        ),
        ("pkg:generic/lib?vcs_url=git+ssh://git@h.example/a/lib", ("h.example/a/lib", "")),
    ],
)
def test_a_repository_and_its_commit_are_read(purl: str, read: tuple[str, str]) -> None:
    assert read_git_purl(purl) == read


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("team/lib.git", "h.example/team/lib"),
        ("team/sub/lib", "h.example/team/sub/lib"),
        ("~me/a b%41", "h.example/~me/a b%41"),
    ],
)
def test_the_line_that_opens_a_repository_is_read_again(path: str, name: str) -> None:
    line = exception_for("h.example", path)
    purl = line.partition("'")[2].partition("'")[0]
    found = read_git_purl(purl)
    assert found == ((name, "") if " " not in name else None)
    assert (
        line == f"registries.git.exceptions: [{{purl: '{purl}', expires: YYYY-MM-DD, reason: WHY}}]"
    )


@pytest.mark.parametrize(
    "purl",
    [
        "pkg:npm/left-pad@1.3.0", "pkg:github/team/lib@v1.0", f"pkg:github/team/lib@{C[:39]}",
        f"pkg:github/team/lib@{C}?vcs_url=git+https://h.example/a", f"pkg:generic/lib@{C}",
        "pkg:generic/lib?vcs_url=", "pkg:generic/lib?vcs_url=git+https://h.example/a@main",
        "pkg:generic/lib?download_url=https://h.example/a", "pkg:github/",
        # Commits where npm, cargo and pip write them, or none where one was begun: not all of it.
        f"pkg:generic/lib?vcs_url=git+https://h.example/a/lib%23{C}",
        f"pkg:generic/lib?vcs_url=git+https://h.example/a/lib%3Frev%3D{C}",
        # A version where package URLs have theirs: the commit is not what says so, nor is it all.
        f"pkg:generic/lib@{C}?vcs_url=git+https://h.example/a/lib",
        "pkg:generic/lib@1.0?vcs_url=git+https://h.example/a/lib",
        f"pkg:generic/lib%40{C}?vcs_url=git+https://h.example/a/lib",
        f"pkg:github/team/lib#{C}", f"pkg:github/team/lib%23{C}",
        "pkg:generic/lib?vcs_url=git+https://h.example/a/lib@", "pkg:github/team/lib@",
        "pkg:generic/lib?vcs_url=git+https://h.example/a/lib%40",
    ],
)  # fmt: skip
def test_what_names_no_repository_is_none(purl: str) -> None:
    assert read_git_purl(purl) is None
