import pytest

from cleanroom.policy.model import LockfilePolicy, RegistryException, RegistryPolicy
from cleanroom.policy.parse import parse_policy
from tests.policy.reading import PATH, problems_in, said_of

FULL = """\
version: 1
registries:
  pypi:
    enable: true
    allowed_hosts: [Index.Example, files.example]
    cache_ref: content-cache
    fallback: direct
    cooldown: 7d
    read_only: false
    lockfile_enforcement: {enabled: true, mode: warn, lockfiles: ["**/uv.lock"]}
    exceptions:
      - purl: pkg:pypi/setuptools@80.0.0
        hash: sha256:%s
        expires: 2027-01-31
        reason: build requirement
  git:
"""


def test_a_registry_is_read_whole() -> None:
    pypi, git = parse_policy(FULL % ("0" * 64), PATH).registries
    assert pypi == RegistryPolicy(
        manager="pypi",
        enabled=True,
        allowed_hosts=("index.example", "files.example"),
        cache_ref="content-cache",
        fallback="direct",
        lockfile=LockfilePolicy(enabled=True, mode="warn", lockfiles=("**/uv.lock",)),
        cooldown_s=604_800,
        read_only=False,
        exceptions=(
            RegistryException(
                "pkg:pypi/setuptools@80.0.0",
                "2027-01-31",
                "build requirement",
                f"sha256:{'0' * 64}",
            ),
        ),
    )
    assert git == RegistryPolicy("git", enabled=False, allowed_hosts=())


H = f"hash: sha256:{'0' * 64}"
WRONG = {
    "{npm: {enable: true}}": "cannot enable npm: allowed_hosts is empty",
    "{npm: {lockfile_enforcement: {enabled: true}}}": "cannot enforce lock files: none is named",
    "{npm: {allowed_hosts: ['*.example']}}": "letters, digits, hyphens and dots only",
    "{npm: {fallback: allow}}": "it is deny or direct",
    "{npm: {lockfile_enforcement: {mode: on}}}": "it is deny_unknown, warn or off",
    "{npm: {lockfile_enforcement: {lockfiles: [/a]}}}": "a path or glob inside the repository",
    "{npm: {cooldown: 7}}": "a duration like 90s, 15m, 1h or 7d",
    "{npm: {exceptions: [{expires: 2027-01-31, reason: x}]}}": "cannot do without",
    "{npm: {exceptions: [{purl: left-pad, expires: 2027-01-31, reason: x}]}}": "a package URL",
    "{npm: {exceptions: [{purl: pkg:npm/a, expires: 2027-13-31, reason: x}]}}": "a date like",
    "{npm: {exceptions: [{purl: pkg:pypi/a, expires: 2027-01-31, reason: x}]}}": (
        "cannot except pkg:pypi/a: it is no package of npm"
    ),
    "{go: {exceptions: [{purl: pkg:go/a.b/c, expires: 2027-01-31, reason: x}]}}": (
        "cannot except pkg:go/a.b/c: it is no package of go"
    ),
    "{npm: {exceptions: [{purl: 'pkg:npm/a?vcs_url=b', expires: 2027-01-31, reason: x}]}}": (
        "cannot except pkg:npm/a?vcs_url=b: it is no package of npm"
    ),
    "{git: {exceptions: [{purl: pkg:npm/a, expires: 2027-01-31, reason: x}]}}": (
        "cannot except pkg:npm/a: it is no repository, with a whole commit or none"
    ),
    "{git: {exceptions: [{purl: pkg:github/a/b@v1, expires: 2027-01-31, reason: x}]}}": (
        "cannot except pkg:github/a/b@v1: it is no repository, with a whole commit or none"
    ),
    f"{{git: {{exceptions: [{{purl: pkg:github/a/b, expires: 2027-01-31, reason: x, {H}}}]}}}}": (
        "cannot hold a repository to a hash: its commit says what it is"
    ),
    "{npm: {exceptions: [{purl: pkg:npm/a, expires: 2027-01-31, reason: x, hash: md5:a}]}}": (
        "a digest like"
    ),
    "{pip: {}}": "cannot use key 'pip' in registries: it is unknown",
}


@pytest.mark.parametrize("section", WRONG)
def test_a_wrong_registry_is_refused(section: str) -> None:
    [said] = said_of(f"version: 1\nregistries: {section}")
    assert WRONG[section] in said


def test_an_exception_of_git_is_a_repository() -> None:
    purl = "'pkg:generic/lib?vcs_url=git+https://code.example/team/lib'"
    excepted = f"{{exceptions: [{{purl: {purl}, expires: 2027-01-31, reason: x}}]}}"
    assert said_of(f"version: 1\nregistries: {{git: {excepted}}}") == []


def test_a_client_s_name_is_told_its_registry() -> None:
    [problem] = problems_in("version: 1\nregistries: {pip: {}}")
    assert problem.hint == "did you mean 'pypi'?"


def test_lock_files_that_are_off_need_no_name() -> None:
    assert said_of("version: 1\nregistries: {npm: {lockfile_enforcement: {mode: 'off'}}}") == []
    off = "{enabled: true, mode: 'off'}"
    assert said_of(f"version: 1\nregistries: {{npm: {{lockfile_enforcement: {off}}}}}") == []


SHARED = """\
version: 1
registries:
  npm: {enable: true, allowed_hosts: [%s]}
  git:
    enable: %s
    allowed_hosts: [%s]
"""


def test_a_host_of_two_registries_has_a_path_for_one_of_them() -> None:
    npm, git = parse_policy(
        SHARED % ("Forge.Example/api/Npm/", "true", "forge.example"), PATH
    ).registries
    assert npm.allowed_hosts == ("forge.example/api/Npm",)
    assert git.allowed_hosts == ("forge.example",)


@pytest.mark.parametrize(
    ("npm", "git"),
    [
        ("forge.example", "forge.example"),
        ("forge.example/a", "forge.example/A"),
        ("forge.example/a", "forge.example/a."),
    ],
)
def test_two_registries_at_one_place_are_an_error(npm: str, git: str) -> None:
    [problem] = problems_in(SHARED % (npm, "true", git))
    assert problem.line == 5
    assert problem.message == f"cannot have {git} in allowed_hosts of npm and of git"
    assert problem.hint == f"write what one's addresses begin with, as {git}/PATH"
    assert problems_in(SHARED % (npm, "false", git)) == ()
