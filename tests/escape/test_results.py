"""What an agent did comes out exactly: diff, patch, files, branch; what is hostile does not."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.people import CLEANROOM, Person

NOTHING = "version: 1\nsandbox:\n  network:\n    default: deny\n"

pytestmark = pytest.mark.escape

# As an agent works: edits, adds, deletes, renames, changes modes, links, commits.
AGENT = """set -e
git config user.name Agent; git config user.email agent@inside.example
sed -i s/one/two/ src/edited.txt
mkdir -p src/new/deep; printf 'added\\n' > src/new/deep/added.txt
git rm -q src/deleted.txt; git mv src/renamed.txt moved.txt
chmod +x src/tool; ln -s edited.txt src/link; printf 'a\\000\\377b' > picture; ln picture same
mv old/in new-place; rmdir old; rm flat; mkdir flat; echo x > flat/x; rm -r tree; echo y > tree
printf 'a\\r\\nno end' > ends; printf u > "$(printf '\\303\\274 "q')"; chmod -x runs
ln -sfn src/tool to
git add -A; git commit -qm 'what the agent did'
printf 'again\\n' >> src/edited.txt; git commit -qam 'and once more'
"""

EDITED = b"two edited\nagain\n"

HOSTILE = """
ln -s /etc/passwd absolute; ln -s ../../victim relative; ln -s / root; ln -s root/victim through
mkdir -p d; ln -s .. d/up; ln -s d/up/../../victim chain
mkfifo pipe; cp /bin/true tool; chmod 6755 tool
mkdir -p sub/.git/hooks .GIT; printf '#!/bin/sh\\n' > sub/.git/hooks/post-checkout
printf '#!/bin/sh\\n' > .git/hooks/post-checkout; git config core.fsmonitor ./evil
echo 'x filter=evil' > .git/info/attributes
echo 'version: 2' > cleanroom.yaml; mkdir -p .github; echo evil > .github/ci.yml; echo {} > uv.lock
echo a > readme; echo b > README; truncate -s 1T sparse; echo fine > fine
"""


@pytest.fixture
def person(home: Home, programs: Path) -> Iterator[Person]:
    """Somebody with a repository of one commit."""
    assert programs.is_dir()
    someone = Person(home)
    someone.policy(NOTHING)
    for name in ("edited", "deleted", "renamed"):
        (someone.work / "src").mkdir(exist_ok=True)
        (someone.work / f"src/{name}.txt").write_text(f"one {name}\n")
    (someone.work / "src/tool").write_text("#!/bin/sh\n")
    for name in ("old/in/deep/a", "flat", "tree/a", "runs"):
        (someone.work / name).parent.mkdir(parents=True, exist_ok=True)
        (someone.work / name).write_text(f"{name}\n")
    (someone.work / "runs").chmod(0o755)
    (someone.work / "to").symlink_to("flat")
    git(someone, "add", "-A")
    git(someone, "commit", "-q", "-m", "first")
    with someone.serving():
        yield someone


def git(person: Person, *words: str, at: Path | None = None) -> str:
    """What the host's git says."""
    program = shutil.which("git")
    assert program
    names = ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL")
    who = {f"GIT_{name}": "me" for name in names}
    return subprocess.run(
        [program, "-C", str(at or person.work), *words],
        env=person.environment | who, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def tree(root: Path) -> dict[str, str]:
    """Every path but git's, and what it is."""
    found = {}
    for place in sorted(root.rglob("*")):
        name = str(place.relative_to(root))
        if name == ".git" or name.startswith(".git/"):
            continue
        if place.is_symlink():
            found[name] = f"-> {place.readlink()}"
        elif place.is_dir():
            found[name] = "folder"
        else:
            found[name] = f"{place.stat().st_mode & 0o7777:o} {place.read_bytes()!r}"
    return found


def git_files(person: Person) -> dict[str, bytes]:
    """Git's own folder, but for the index, which git itself refreshes."""
    top = person.work / ".git"
    files = (place for place in sorted(top.rglob("*")) if place.is_file())
    return {str(place): place.read_bytes() for place in files if place.name != "index"}


def test_diff_patch_files_and_branch_say_what_the_agent_did(
    person: Person, short_path: Path
) -> None:
    done = person.types("exec", "--", AGENT)
    assert done.returncode == 0, done.stderr
    told = json.loads(person.types("diff", "--json").stdout)["changes"]
    assert {each["path"]: each["kind"] for each in told} == {
        "ends": "added",
        "flat": "deleted",
        "flat/x": "added",
        "moved.txt": "added",
        "new-place/deep/a": "added",
        "old/": "deleted",
        "old/in/": "deleted",
        "old/in/deep/": "deleted",
        "old/in/deep/a": "deleted",
        "picture": "added",
        "runs": "mode",
        "same": "added",
        "src/deleted.txt": "deleted",
        "src/edited.txt": "modified",
        "src/link": "added",
        "src/new/deep/added.txt": "added",
        "src/renamed.txt": "deleted",
        "src/tool": "mode",
        "to": "modified",
        "tree": "added",
        "tree/": "deleted",
        "tree/a": "deleted",
        'ü "q': "added",
    }
    patched = short_path / "patched"
    git(person, "clone", "-q", str(person.work), str(patched))
    patch = short_path / "patch"
    asked = [*CLEANROOM, "diff", "--patch"]
    with patch.open("wb") as file:  # as bytes: ends of lines are of the content
        subprocess.run(asked, cwd=person.work, env=person.environment, stdout=file, check=True)
    git(person, "apply", str(patch), at=patched)

    brought = person.types("apply", "--branch", "agent")
    assert brought.returncode == 0, brought.stderr
    assert "2 commits brought out" in brought.stderr
    log = git(person, "log", "--format=%an %ae %s", "agent").splitlines()
    assert log[:2] == [
        "Agent agent@inside.example and once more",
        "Agent agent@inside.example what the agent did",
    ]
    assert git(person, "fsck", "--strict") == ""
    branch = short_path / "branch"
    git(person, "worktree", "add", "-q", str(branch), "agent")

    assert person.types("apply").returncode == 0
    expected = tree(person.work)
    assert expected["src/edited.txt"] == f"644 {EDITED!r}"
    assert (person.work / "src/link").readlink() == Path("edited.txt")
    assert not (person.work / "src/renamed.txt").exists()
    for root in (patched, branch):
        assert tree(root) == expected
    assert "no changes" in person.types("diff").stderr


def test_nothing_hostile_comes_out(person: Person) -> None:
    victim = person.work.parent / "victim"
    victim.write_text("untouched")
    before = git_files(person)
    assert person.types("exec", "--", HOSTILE).returncode == 0
    done = person.types("apply")
    assert done.returncode == 0, done.stderr
    assert victim.read_text() == "untouched"
    assert git_files(person) == before
    there = {place.name for place in person.work.iterdir()}
    assert {"fine", "sparse", "tool", "d"} <= there
    assert not there & {
        "absolute", "relative", "root", "through", "chain", "pipe", "sub", ".GIT", ".github",
        "uv.lock", "readme", "README",
    }  # fmt: skip
    assert (person.work / "cleanroom.yaml").read_text() == NOTHING
    assert (person.work / "tool").stat().st_mode & 0o7777 == 0o755
    assert (person.work / "sparse").stat().st_blocks * 512 < 1 << 20
    for path in ("cleanroom.yaml", ".github/ci.yml", "uv.lock"):
        assert f"left out {path}: " in done.stderr


# Whatever names a program that git would run: the repository's attributes, its configuration.
DRIVERS = """
printf '* merge=evil filter=evil diff=evil\n' > .gitattributes
git config merge.evil.driver 'touch RAN'; git config filter.evil.smudge 'touch RAN'
git config diff.evil.textconv 'touch RAN'; git config merge.conflictStyle diff3
sed -i -e s/one/inside/ -e s/nine/NINE/ notes; chmod +x notes; printf 'a\\000b' > binary
"""


def test_what_both_sides_changed_is_merged_and_no_driver_runs(
    person: Person, short_path: Path
) -> None:
    lines = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n"
    notes, binary, ran = person.work / "notes", person.work / "binary", short_path / "ran"
    notes.write_text(lines)
    binary.write_bytes(b"a\0")
    # What the host's own git would run, if it were asked.
    (person.work / ".git/info/attributes").write_text("* merge=mine filter=mine\n")
    for key in ("merge.mine.driver", "filter.mine.smudge", "filter.mine.clean"):
        git(person, "config", key, f"touch {ran}")
    program = DRIVERS.replace("RAN", str(ran))
    assert person.types("exec", "--", program).returncode == 0

    notes.write_text(lines.replace("five", "FIVE"))
    binary.write_bytes(b"c\0")
    refused = person.types("apply")
    assert refused.returncode == 1
    assert "--3way merges what both sides changed" in refused.stderr
    refused = person.types("apply", "--3way")
    assert refused.returncode == 1
    reason = "changed on the host since, and cannot be merged line by line"
    assert f"conflict binary: {reason}\n" in refused.stderr
    assert "nothing was applied" in refused.stderr
    merged = lines.replace("one", "inside").replace("five", "FIVE").replace("nine", "NINE")
    checked = person.types("apply", "--3way", "--check", "notes")
    assert (checked.returncode, checked.stdout) == (0, "notes\n")
    assert notes.read_text() == lines.replace("five", "FIVE")
    done = person.types("apply", "--3way", "notes")
    assert (done.returncode, done.stdout) == (0, "notes\n")
    assert "notes: merged\n" in done.stderr
    assert notes.read_text() == merged
    assert notes.stat().st_mode & 0o777 == 0o755
    assert person.types("apply", "notes").returncode == 0
    assert notes.read_text() == merged  # not overwritten by the sandbox's own
    assert not ran.exists()


def test_where_both_changed_one_line_both_are_shown(person: Person) -> None:
    place = person.work / "src/edited.txt"
    assert person.types("exec", "--", "echo inside > src/edited.txt").returncode == 0
    place.write_text("the host's\n")
    done = person.types("apply", "--3way")
    assert (done.returncode, done.stdout) == (1, "src/edited.txt\n")
    assert "src/edited.txt: merged, 1 place marked <<<<<<< to decide\n" in done.stderr
    marked = "<<<<<<< host\nthe host's\n=======\ninside\n>>>>>>> sandbox\n"
    assert place.read_text() == marked
    place.write_text("decided\n")
    assert person.types("apply").returncode == 0
    assert place.read_text() == "decided\n"


BROKEN_TARFILE = """
import sysconfig
from pathlib import Path
Path({mark!r}).touch()
text = Path(sysconfig.get_path("stdlib"), "tarfile.py").read_text()
exec(compile(text, "tarfile.py", "exec"))
def fully_trusted_filter(member, path):
    return member
data_filter = tar_filter = fully_trusted_filter
_NAMED_FILTERS = dict.fromkeys(("data", "tar", "fully_trusted"), fully_trusted_filter)
TarFile.extraction_filter = staticmethod(fully_trusted_filter)
"""
# What such a python does with an archive that leads out.
TAKEN_IN = """
import io, tarfile
data = io.BytesIO()
with tarfile.open(fileobj=data, mode="w") as archive:
    archive.addfile(tarfile.TarInfo("../victim"), io.BytesIO())
data.seek(0)
tarfile.open(fileobj=data).extractall(".", **WORDS)
"""


def test_a_python_whose_tarfile_lets_everything_pass_brings_out_nothing_more(
    home: Home, programs: Path, short_path: Path
) -> None:
    assert programs.is_dir()
    mark = short_path / "used"
    (short_path / "tarfile.py").write_text(BROKEN_TARFILE.format(mark=str(mark)))
    someone = Person(home)
    someone.policy(NOTHING)
    someone.environment["PYTHONPATH"] = str(short_path)
    victim = someone.work.parent / "victim"
    filtered = "{'filter': 'data'} if hasattr(tarfile, 'data_filter') else {}"
    control = TAKEN_IN.replace("WORDS", filtered)
    subprocess.run(
        [sys.executable, "-c", control], cwd=someone.work, env=someone.environment, check=True
    )
    assert victim.read_bytes() == b""
    assert mark.exists()
    mark.unlink()
    victim.write_text("untouched")
    with someone.serving():
        hostile = someone.types("exec", "--sandbox", "dev", "--", HOSTILE)
        assert hostile.returncode == 0, hostile.stderr
        (someone.work / "edit").write_text("of the host")
        for words in (
            ("sandboxes", "sync", "dev"),
            ("diff", "--patch"),
            ("cp", "dev:.", "copied"),
            ("cp", "dev:fine", "-"),
            ("apply",),
        ):
            done = someone.types(*words)
            assert done.returncode == 0, done.stderr
    assert victim.read_text() == "untouched"
    assert not mark.exists()
    for top in (someone.work, someone.work / "copied"):
        there = {place.name for place in top.iterdir()}
        assert {"fine", "tool"} <= there
        assert not there & {"absolute", "relative", "root", "through", "pipe", ".GIT"}
        assert (top / "tool").stat().st_mode & 0o7777 == 0o755
    assert (someone.work / "cleanroom.yaml").read_text() == NOTHING


def test_nothing_that_brings_files_out_relies_on_tarfile() -> None:
    """So a python whose filter is broken is as good as another."""
    sources = Path(__file__).resolve().parents[2] / "src/cleanroom"
    found = list(sources.rglob("*.py"))
    assert len(found) > 200
    assert [path for path in found if "import tarfile" in path.read_text()] == []


def test_commits_that_change_no_file_of_the_host_come_out_after_the_end(person: Person) -> None:
    (person.work / "src/edited.txt").write_text("not committed on the host\n")
    program = "git config user.name a; git config user.email a@b; git commit -qam inside"
    ended = person.types("exec", "--", program)
    assert ended.returncode == 0
    assert "commits were made inside: cleanroom apply --branch NAME" in ended.stderr
    assert "no changes" in person.types("diff").stderr
    done = person.types("apply", "--branch", "agent")
    assert done.returncode == 0, done.stderr
    assert git(person, "log", "--format=%s", "agent").split() == ["inside", "first"]
    assert person.types("exec", "--", "true").returncode == 0
    nothing = person.types("apply", "--branch", "other")
    assert nothing.returncode == 1
    assert "no commit was made inside" in nothing.stderr


def test_a_branch_with_a_link_that_leads_out_is_refused(person: Person) -> None:
    program = (
        "git config user.name a; git config user.email a@b; ln -s ../victim l; git add -A;"
        " git commit -qm bad"
    )
    assert person.types("exec", "--", program).returncode == 0
    done = person.types("apply", "--branch", "agent")
    assert done.returncode == 1
    assert "leads out" in done.stderr
    assert git(person, "branch", "--list", "agent") == ""
