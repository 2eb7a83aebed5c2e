"""Git repositories held to lock files: only the commits that they pin, and what came before them.

By git itself, against git's own server. Promise R28.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from cleanroom.decide.artifact import SHOWN
from tests.escape.egress_world import Report
from tests.escape.git_internet import GitInternet, git_hosts
from tests.escape.registry_world import Registries, registries
from tests.escape.test_registries_git import RUN, Repository, clone, git

pytestmark = pytest.mark.escape

POLICY: Final = """\
version: 1
sandbox: {network: {default: deny, allow: []}}
registries:
  git:
    enable: true
    allowed_hosts: [mirror.test]
    lockfile_enforcement: {enabled: true, mode: MODE, lockfiles: [package-lock.json]}
    exceptions: [EXCEPTIONS]
"""
STRICT: Final = POLICY.replace("MODE", "deny_unknown").replace("EXCEPTIONS", "")


@pytest.fixture(scope="module")
def shared(programs: Path) -> Iterator[Registries]:
    """Git hosts of this file."""
    assert programs.is_dir()
    with git_hosts(), registries(internet=GitInternet) as made:
        yield made


class Locked(Repository):
    """A repository whose second commit of four is locked; the last one is what `main` is at."""

    def __init__(self) -> None:
        super().__init__()
        self.pinned = git(self.tree, "rev-parse", "HEAD")
        git(self.tree, "tag", "-a", "-m", "hostile words", "v1")
        git(self.tree, "tag", "light")
        self.between = self.commit("three", "3\n")
        self.last = self.commit("four", "4\n")
        git(self.tree, "branch", "other")
        git(self.tree, "push", "-q", "--tags", str(self.bare), "main", "other")
        git(self.bare, "config", "uploadpack.allowAnySHA1InWant", "true")


@pytest.fixture
def lib(outside: Registries) -> Locked:
    """A repository of this test alone."""
    return Locked()


def lock(*pins: tuple[str, str]) -> str:
    """Return a package-lock.json that pins commits of repositories, by address."""
    packages = {
        f"node_modules/lib{count}": {
            "version": "1.0.0",
            "resolved": f"{url.replace('https:', 'git+https:')}#{commit}",
        }
        for count, (url, commit) in enumerate(pins)
    }
    return json.dumps({"lockfileVersion": 3, "packages": {"": {}, **packages}})


def run(
    outside: Registries,
    text: str,
    *commands: tuple[str, ...],
    policy: str = STRICT,
    flags: tuple[str, ...] = (),
) -> Report:
    """Run git in a sandbox of its own, under a lock file."""
    program = f"{RUN}\nresult = [git(*each) for each in {commands!r}]"
    return outside.world.run(policy, program, *flags, files={"package-lock.json": text})


@pytest.mark.parametrize("version", ["2", "0"])
def test_a_clone_is_at_the_commit_that_is_locked(
    outside: Registries, lib: Locked, version: str
) -> None:
    """Whatever the branch is at by now, by a first clone, from the cache, and offline."""
    protocol = ("-c", f"protocol.version={version}")
    commands = [
        *[(*protocol, *each) for each in clone(lib)],
        ("-C", "copy", "rev-parse", "HEAD", "origin/main", "origin/other", "light"),
        ("-C", "copy", "for-each-ref", "--format=%(objecttype) %(refname)", "refs/tags"),
        ("-C", "copy", "cat-file", "-e", lib.between),
    ]
    for flags in ((), (), ("--offline",)):
        said = run(outside, lock((lib.url, lib.pinned)), *commands, flags=flags)
        assert said.result[:2] == [[0, ""], [0, "two\none\n"]], said.result
        assert said.result[2] == [0, f"{lib.pinned}\n" * 4]
        assert said.result[3] == [0, "commit refs/tags/light\ncommit refs/tags/v1\n"]
        assert said.result[4][0] != 0
        assert not said.denials()
        fetched = [each for each in said.audit if each.get("strength")]
        assert {(each["strength"], each["pin"]) for each in fetched} == {
            ("lockfile", "package-lock.json:1")
        }


def test_other_ways_to_clone_work_too(outside: Registries, lib: Locked) -> None:
    ways = (("--depth=1",), ("--filter=blob:none",), ("--branch", "v1"), ("--mirror",))
    commands = []
    for count, words in enumerate(ways):
        commands.append(("clone", "-q", *words, lib.url, f"copy{count}"))
        commands.append(("-C", f"copy{count}", "log", "-1", "--format=%s"))
    said = run(outside, lock((lib.url, lib.pinned)), *commands)
    assert [status for status, _ in said.result] == [0] * 8, said.result
    assert [text for _, text in said.result[1::2]] == ["two\n"] * 4


def test_of_several_pinned_commits_a_clone_has_all(outside: Registries, lib: Locked) -> None:
    text = lock((lib.url, lib.pinned), (lib.url, lib.between))
    checkouts = [("-C", "copy", "checkout", "-q", each) for each in (lib.pinned, lib.between)]
    last = ("-C", "copy", "cat-file", "-e", lib.last)
    said = run(outside, text, clone(lib)[0], *checkouts, last)
    assert [status for status, _ in said.result[:3]] == [0, 0, 0], said.result
    assert said.result[3][0] != 0


def test_a_commit_that_is_not_pinned_is_refused_and_git_says_why(
    outside: Registries, lib: Locked
) -> None:
    new = ("init", "-q", "copy")
    fetch = ("-C", "copy", "fetch", "-q", lib.url)
    said = run(outside, lock((lib.url, lib.pinned)), new, (*fetch, lib.last), (*fetch, lib.pinned))
    assert said.result[1][0] != 0
    sentence = f"lockfile_violation: {lib.name} {lib.last[:12]} is not in package-lock.json"
    assert f"fatal: remote error: {sentence}, which pins {lib.pinned[:12]}" in said.result[1][1]
    assert said.denials("lockfile_violation")
    assert f"{lib.last[:12]} is not in package-lock.json" in said.stderr
    assert said.result[2] == [0, ""]
    assert said.stderr.count(SHOWN) == 1
    assert not [each for each in outside.script.asked if lib.last in each.head]


def test_a_repository_that_is_not_pinned_is_not_asked(outside: Registries, lib: Locked) -> None:
    other = Locked()
    said = run(outside, lock((lib.url, lib.pinned)), *clone(other))
    assert said.result[0][0] != 0
    assert f"remote: lockfile_violation: {other.name} of mirror.test is in no" in said.result[0][1]
    assert not outside.script.asked


def test_a_pin_by_ssh_is_one_of_the_same_repository(outside: Registries, lib: Locked) -> None:
    said = run(outside, lock((f"git+ssh://git@mirror.test/{lib.name}", lib.pinned)), *clone(lib))
    assert said.result == [[0, ""], [0, "two\none\n"]], said.result


def test_an_exception_opens_a_commit_or_all_of_a_repository(
    outside: Registries, lib: Locked
) -> None:
    purl = f"pkg:generic/lib?vcs_url=git+https://mirror.test/{lib.name}"
    text = "{{purl: '{}', expires: 2099-12-31, reason: test}}"
    other = lock(("https://mirror.test/team/other", lib.pinned))
    for commit, log in ((f"@{lib.between}", "three\n"), ("", "four\n")):
        policy = POLICY.replace("MODE", "deny_unknown")
        policy = policy.replace("EXCEPTIONS", text.format(purl + commit))
        said = run(outside, other, *clone(lib), policy=policy)
        assert said.result[0] == [0, ""], said.result
        assert said.result[1][1].startswith(log)


def test_a_warning_names_the_commit(outside: Registries, lib: Locked) -> None:
    policy = POLICY.replace("MODE", "warn").replace("EXCEPTIONS", "")
    said = run(outside, lock((lib.url, lib.pinned)), *clone(lib), policy=policy)
    assert said.result[1][1].startswith("four\n")
    assert f"{lib.name} is not in package-lock.json; mode: warn lets it pass" in said.stderr


ASK: Final = """
import http.client
def ask(path, body, version="version=2"):
    there = http.client.HTTPSConnection("mirror.test", timeout=60)
    fields = {"Content-Type": "application/x-git-upload-pack-request", "Git-Protocol": version}
    there.request("POST", path, body.encode("latin-1"), fields)
    answer = there.getresponse()
    return [answer.status, answer.read().decode("latin-1")]
def pkt(*lines):
    return "".join("%04x%s" % (len(each) + 4, each) if each else "0000" for each in lines)
"""


def asking(*bodies: tuple[str, ...], path: str) -> str:
    """Return a program that asks for objects in git's own words; its result is the answers."""
    return (
        f"{ASK}\n"
        f"made = [pkt('command=fetch') + '0001' + pkt(*each, '') for each in {bodies!r}]\n"
        f"result = [ask({path!r}, each) for each in made]"
    )


def test_no_way_of_asking_brings_another_commit(outside: Registries, lib: Locked) -> None:
    """By its name, by a branch, as a blob, and as parents of what is said to be shallow.

    The control is the same request where nothing is held: it brings what came later.
    """
    path = f"/{lib.name}/git-upload-pack"
    blob = git(lib.tree, "rev-parse", f"{lib.last}:four")
    tag = git(lib.tree, "rev-parse", "v1")
    deepened = (f"want {lib.pinned}", f"shallow {lib.last}", "deepen 2147483647", "done")
    bodies = [
        (f"want {lib.last}", "done"),
        (f"want {lib.pinned}", f"want {lib.last}", "done"),
        (f"want {blob}", "done"),
        (f"want {tag}", "done"),
        (f"want {git(lib.tree, 'rev-parse', lib.pinned + '^{tree}')}", "done"),
        ("want-ref refs/heads/main", "done"),
        (f"want {lib.pinned}", "filter blob:none", "done"),
        deepened,
    ]
    files = {"package-lock.json": lock((lib.url, lib.pinned))}
    said = outside.world.run(STRICT, asking(*bodies, path=path), files=files)
    for status, text in said.result:
        assert status == 200
        assert text[4:].startswith("ERR lockfile_violation: "), text
    assert len(said.denials("lockfile_violation")) == len(bodies)
    assert not outside.script.asked
    free = POLICY.replace("MODE", "'off'").replace("EXCEPTIONS", "")
    said = outside.world.run(free, asking(deepened, path=path), files=files)
    [[status, text]] = said.result
    assert status == 200
    assert f"unshallow {lib.last}" in text  # so its parents come: `between`, which nobody wanted
    (held, whole) = (f"want {lib.pinned}", "done"), deepened
    sizes = [len(outside.world.run(free, asking(each, path=path), files=files).result[0][1])
             for each in (held, whole)]  # fmt: skip
    assert sizes[0] < sizes[1]


def test_a_path_of_another_spelling_is_no_way_around(outside: Registries, lib: Locked) -> None:
    owner, name = lib.name.split("/")
    paths = [
        f"/{owner}//{name}", f"/{owner}/./{name}", f"/{lib.name}/", f"/{owner.title()}/{name}",
        f"/{owner}%2f%2e%2e/{name}", f"/{name}", f"/x/{lib.name}", f"/{lib.name}.git",
    ]  # fmt: skip
    requests = [f"{path}/git-upload-pack" for path in paths]
    program = (
        f"{ASK}\nbody = pkt('command=fetch') + '0001' + pkt('want {lib.pinned}', 'done', '')\n"
        f"result = [ask(path, body) for path in {requests!r}]"
    )
    files = {"package-lock.json": lock((lib.url, lib.pinned))}
    said = outside.world.run(STRICT, program, files=files)
    assert all(status in (200, 400, 403) for status, _ in said.result)
    assert not any("PACK" in text for _, text in said.result)
    assert len(said.denials()) == len(paths)
    assert not outside.script.asked
