"""Git with a credential that it never sees: clone, fetch and push, and what may not be pushed.

By git itself, against git's own server. Promises S17, S18.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.escape.egress_world import Report
from tests.escape.git_internet import GitInternet, git_hosts
from tests.escape.registry_world import Registries, registries
from tests.escape.test_registries_git import RUN, Repository, git
from tests.escape.traces import Searched

pytestmark = pytest.mark.escape

VALUE: Final = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
TOLD: Final = f"Basic {base64.b64encode(f'x-access-token:{VALUE}'.encode()).decode()}"


@pytest.fixture(scope="module")
def outside(programs: Path) -> Iterator[Registries]:
    """Git hosts of this file, and an operator with a token for them."""
    assert programs.is_dir()
    with git_hosts() as folder:
        (folder / "forge").write_text(VALUE)
        config = f"secrets: {{forge: {{file: {folder / 'forge'}}}}}\n"
        with registries(config, internet=GitInternet) as made:
            yield made


@pytest.fixture
def lib(outside: Registries) -> Repository:
    """A repository of this test alone, which the token opens."""
    outside.world.internet.forget()
    made = Repository()
    GitInternet.private[made.name] = TOLD
    return made


def policy(lib: Repository, push: str = "{branches: ['agent/*']}") -> str:
    """Return a policy that binds the token to one repository."""
    rules = f", push: {push}" if push else ""
    scope = f"{{repositories: [{lib.name.removesuffix('.git')}]{rules}}}"
    return f"""\
version: 1
sandbox: {{network: {{default: deny, allow: []}}}}
registries: {{git: {{enable: true, allowed_hosts: [mirror.test]}}}}
secrets: [{{id: forge, env: TOKEN, allowed_hosts: [mirror.test], git: {scope}}}]
"""


def run(outside: Registries, text: str, lib: Repository, *commands: tuple[str, ...]) -> Report:
    """Clone in a sandbox of its own, commit, and run git there."""
    who = ("-c", "user.name=a", "-c", "user.email=a@mail.example")
    made = (
        ("clone", "-q", lib.url, "copy"),
        ("-C", "copy", *who, "commit", "-q", "--allow-empty", "-m", "three"),
        *(("-C", "copy", *who, *each) for each in commands),
    )
    program = f"{RUN}\nresult = [git(*each) for each in {made!r}]"
    said = outside.world.run(text, program, "--secret", "forge@mirror.test")
    assert said.result[:2] == [[0, ""], [0, ""]], said.result
    assert VALUE not in json.dumps([said.result, said.audit, said.stderr])
    return said


def branches(lib: Repository) -> dict[str, str]:
    """Return the refs of the repository, with the subject of what each is at."""
    lines = git(lib.bare, "for-each-ref", "--format=%(refname) %(contents:subject)").split("\n")
    return dict(line.split(" ", 1) for line in lines)


def posts(outside: Registries) -> list[str]:
    """Return the paths at which something was pushed."""
    return [each.path for each in outside.script.asked if each.path.endswith("/git-receive-pack")]


BEFORE: Final = {"refs/heads/main": "two"}


def test_a_branch_is_pushed_and_the_value_arrives(outside: Registries, lib: Repository) -> None:
    said = run(outside, policy(lib), lib, ("push", "origin", "HEAD:agent/fix"))
    assert said.result[2][0] == 0, said.result
    assert branches(lib) == {**BEFORE, "refs/heads/agent/fix": "three"}
    told = [each for each in outside.script.asked if "authorization" in each.head]
    assert told == outside.script.asked
    assert all(TOLD in each.head for each in told)
    verdicts = [each for each in said.audit if each["phase"] == "verdict" and each["allowed"]]
    event = next(each for each in verdicts if each.get("path") == f"/{lib.name}/git-receive-pack")
    assert event["artifact"] == f"{lib.name} agent/fix"
    for value in (VALUE, TOLD.removeprefix("Basic ")):  # nothing of it is left anywhere
        assert Searched(outside.world, value.encode()).found() == []


REFUSED: Final = (
    (("push", "origin", "HEAD:main"), "main is none of the branches that may be pushed"),
    (("push", "origin", "HEAD:refs/tags/v1"), "refs/tags/v1 is no branch"),
    (("push", "origin", "HEAD:refs/for/main"), "refs/for/main is no branch"),
    (("push", "origin", "HEAD:refs/changes/1"), "refs/changes/1 is no branch"),
    (("push", "origin", "HEAD:agentx"), "agentx is none of"),
    (("push", "origin", ":main"), "main is none of"),
    (("push", "--force", "origin", "HEAD~2:main"), "main is none of"),
    (("push", "origin", "HEAD:agent/fix", "HEAD:main"), "main is none of"),
    (("push", "--atomic", "origin", "HEAD:agent/fix", "HEAD:main"), "main is none of"),
    (("push", "--mirror", "origin"), "none of the branches"),
    (("push", "-o", "merge_request.create", "origin", "HEAD:agent/x"), "'push-options'"),
)


def test_another_push_is_refused_whole_and_git_says_why(
    outside: Registries, lib: Repository
) -> None:
    said = run(outside, policy(lib), lib, *(command for command, _ in REFUSED))
    for (status, text), (command, why) in zip(said.result[2:], REFUSED, strict=True):
        assert status != 0, command
        assert "push_not_allowed" in text, text
        assert why in text, text
    assert branches(lib) == BEFORE
    assert not posts(outside)
    for denied in said.denials("push_not_allowed"):
        assert denied["artifact"].startswith(lib.name)
        assert denied["reason"].startswith(f"the push to {lib.name} is refused: ")


PUSH: Final = ("push", "-q", "origin", "HEAD:agent/fix")
MORE: Final = ("commit", "-q", "--allow-empty", "-m", "four")


def test_a_branch_moves_on_where_what_is_pushed_is_proven_to_follow(
    outside: Registries, lib: Repository
) -> None:
    """Also from a copy that has the last commit alone, which says so."""
    said = run(outside, policy(lib), lib, PUSH, MORE, MORE, PUSH)
    assert [status for status, _ in said.result] == [0] * 6, said.result
    assert branches(lib)["refs/heads/agent/fix"] == "four"
    cut = ("fetch", "-q", "--depth=1", "origin", "agent/fix")
    onto = ("checkout", "-q", "--detach", "FETCH_HEAD")
    said = run(outside, policy(lib), lib, cut, onto, MORE, PUSH)
    assert [status for status, _ in said.result] == [0] * 6, said.result
    assert git(lib.bare, "rev-list", "--count", "agent/fix") == "6"


AMEND: Final = ("commit", "-q", "--amend", "--allow-empty", "-m", "other")
FORCED: Final = ("push", "--force", "origin", "HEAD:agent/fix")
DELETED: Final = ("push", "origin", ":agent/fix")


@pytest.mark.parametrize(
    ("word", "commands", "left"),
    [("force", (AMEND, FORCED), "other"), ("delete", (DELETED,), "")],
)
def test_force_and_deletion_are_there_where_the_policy_says_so(
    outside: Registries,
    lib: Repository,
    word: str,
    commands: tuple[tuple[str, ...], ...],
    left: str,
) -> None:
    said = run(outside, policy(lib), lib, PUSH, *commands)
    status, text = said.result[-1]
    assert status != 0
    assert f"needs '{word}: true'" in text
    assert branches(lib)["refs/heads/agent/fix"] == "three"
    rules = f"{{branches: ['agent/*'], {word}: true}}"
    again = ("push", "-q", "origin", "HEAD:agent/other")
    more = [tuple(each.replace("agent/fix", "agent/other") for each in words) for words in commands]
    said = run(outside, policy(lib, rules), lib, again, *more)
    assert said.result[-1][0] == 0, said.result
    assert branches(lib).get("refs/heads/agent/other", "") == left


def test_a_long_push_comes_whole_or_is_refused_with_its_reason(
    outside: Registries, lib: Repository
) -> None:
    """Git asks first whether it may, and sends it in chunks; it reads no answer before its end."""
    noise = ("-c", "alias.noise=!dd if=/dev/urandom of=noise bs=1M count=5 2>/dev/null", "noise")
    added = (noise, ("add", "."), ("commit", "-q", "-m", "noise"))
    said = run(outside, policy(lib), lib, *added, PUSH, ("push", "origin", "HEAD:main"))
    assert said.result[-2][0] == 0, said.result
    assert branches(lib) == {**BEFORE, "refs/heads/agent/fix": "noise"}
    status, text = said.result[-1]
    assert status != 0
    assert "push_not_allowed" in text, text


def test_another_repository_gets_neither_credential_nor_push(
    outside: Registries, lib: Repository
) -> None:
    """Of this owner and another one; also where the sandbox itself sends the placeholder there."""
    mine = policy(lib)
    for other in (Repository(), Repository("others")):
        outside.world.internet.forget()
        outside.script.asked.clear()
        said = run(outside, mine, lib, ("push", other.url, "HEAD:agent/fix"), ("fetch", other.url))
        assert said.result[2][0] != 0
        assert said.denials("push_not_allowed")
        assert said.result[3][0] == 0, said.result
        told = [each for each in outside.script.asked if other.name in each.path]
        assert told
        assert not [each for each in told if "authorization" in each.head]
        sent = (
            "-c",
            f'alias.sent=!git -c http.extraHeader="$GIT_CONFIG_VALUE_0" fetch {other.url}',
        )
        said = run(outside, mine, lib, (*sent, "sent"))
        assert said.result[2][0] != 0
        assert said.denials("secret_scope_violation")


def test_a_submodule_is_judged_by_its_own_address(outside: Registries, lib: Repository) -> None:
    inner, private = Repository("others"), Repository("others")
    GitInternet.private[private.name] = TOLD
    sub = ("-c", "protocol.file.allow=always", "submodule", "add", "-q")
    for name, each in {"open": inner, "closed": private}.items():
        git(lib.tree, *sub, str(each.bare), name)
    text = (lib.tree / ".gitmodules").read_text()
    for each in (inner, private):
        text = text.replace(str(each.bare), each.url)
    lib.commit(".gitmodules", text)
    lib.publish()
    update = ("submodule", "update", "-q", "--init")
    said = run(outside, policy(lib), lib, (*update, "open"), (*update, "closed"))
    assert said.result[2][0] == 0, said.result
    assert said.result[3][0] != 0
    told = [each for each in outside.script.asked if "/others/" in each.path]
    assert not [each for each in told if "authorization" in each.head]


def test_a_credential_for_reading_pushes_nothing(outside: Registries, lib: Repository) -> None:
    said = run(outside, policy(lib, ""), lib, PUSH)
    assert said.result[2][0] != 0
    assert "nothing may be pushed" in said.result[2][1]
    assert branches(lib) == BEFORE


def test_a_placeholder_in_what_is_sent_to_git_is_reported(
    outside: Registries, lib: Repository
) -> None:
    named = ("-c", 'alias.named=!git push origin "HEAD:agent/$TOKEN"', "named")
    asked = ("-c", 'alias.asked=!git fetch origin "refs/heads/$TOKEN"', "asked")
    said = run(outside, policy(lib), lib, named, asked)
    assert [status != 0 for status, _ in said.result[2:]] == [True, True]
    assert len(said.denials("secret_scope_violation")) == 2
    assert not posts(outside)


LIE: Final = """
import hashlib, os, urllib.request
def packet(text):
    return b"%04x%b" % (len(text) + 4, text)
def push(url, old, new, ref):
    pack = b"PACK\\0\\0\\0\\2\\0\\0\\0\\0"
    line = f"{old} {new} {ref}\\0report-status".encode()
    body = packet(line) + b"0000" + pack + hashlib.sha1(pack).digest()
    field = os.environ["GIT_CONFIG_VALUE_0"].partition(": ")[2]
    kind = "application/x-git-receive-pack-request"
    asked = urllib.request.Request(url, body, {"Authorization": field, "Content-Type": kind})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return answer.read().decode()
"""


def test_a_branch_that_is_falsely_said_to_be_new_stays_where_it_is(
    outside: Registries, lib: Repository
) -> None:
    """The old commit is the client's word, which the server compares."""
    two, one = (git(lib.tree, "rev-parse", name) for name in ("HEAD", "HEAD~"))
    git(lib.bare, "branch", "agent/fix", two)
    asked = [("0" * 40, one, "refs/heads/agent/fix"), ("0" * 40, one, "refs/heads/agent/new")]
    url = f"{lib.url}/git-receive-pack"
    program = f"{LIE}\nresult = [push({url!r}, *each) for each in {asked!r}]"
    said = outside.world.run(policy(lib), program, "--secret", "forge@mirror.test")
    assert "ng refs/heads/agent/fix" in said.result[0]
    assert "push_not_allowed" not in said.result[0]  # it is the server that says so
    assert "ok refs/heads/agent/new" in said.result[1]
    assert git(lib.bare, "rev-parse", "agent/fix") == two
    assert git(lib.bare, "rev-parse", "agent/new") == one
