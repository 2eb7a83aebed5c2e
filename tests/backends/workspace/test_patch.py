"""A change set as text: what git takes, and what a person reads."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cleanroom.backends.workspace.changes import change_set
from cleanroom.backends.workspace.patch import patch, stat
from tests.backends.workspace.overlays import Workspace


def taken_by_git(workspace: Workspace, text: str) -> Path:
    """A copy of the repository with the patch applied by git itself."""
    copy = workspace.base / "copy"
    shutil.copytree(workspace.root, copy, symlinks=True)
    environment = {"PATH": "/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(workspace.base)}
    git = ["/usr/bin/git", "apply", "--unidiff-zero", "-"]
    subprocess.run(git, cwd=copy, input=text.encode(), check=True, env=environment)
    return copy


def files(root: Path) -> dict[str, tuple[bool, bytes]]:
    found = {}
    for place in root.rglob("*"):
        if place.is_symlink():
            found[str(place.relative_to(root))] = (False, str(place.readlink()).encode())
        elif place.is_file():
            executable = bool(place.stat().st_mode & 0o100)
            found[str(place.relative_to(root))] = (executable, place.read_bytes())
    return found


def test_git_makes_of_the_patch_what_the_sandbox_made(workspace: Workspace) -> None:
    numbers = "".join(f"{n}\n" for n in range(100))
    for name in ("edited", "replaced", "deleted", "mode", "no end"):
        workspace.write(name, numbers if name != "no end" else "no newline")
    workspace.write("script", "#!/bin/sh\n", 0o755)
    (workspace.root / "link").symlink_to("edited")
    workspace.write("empty")
    script = (
        "sed -i '3s/.*/three/; 90d' edited; seq 500 > replaced; rm deleted script; chmod +x mode;"
        " printf more >> 'no end'; mkdir d; echo x > d/new; touch d/nothing; rm empty;"
        " rm link; ln -s mode link; ln -s d other; echo ä > ü;"
        " printf 'a\\nb' > 'tab\tand \"quote\"'"
    )
    workspace.run(script)
    copy = taken_by_git(workspace, patch(workspace.folder))
    expected = files(workspace.root)
    for name in ("deleted", "script", "empty"):
        del expected[name]
    upper = workspace.folder / "workspace" / "upper"
    for name, content in files(upper).items():
        expected[name] = content
    assert files(copy) == expected


def test_what_is_too_long_is_named_and_git_passes_over_it(workspace: Workspace) -> None:
    workspace.write("a", "a\n")
    workspace.run("head -c 2000000 /dev/zero | tr '\\0' x > big; echo b > a; mkdir empty")
    text = patch(workspace.folder)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# not shown: big (added) is too long"
    ]
    assert files(taken_by_git(workspace, text)) == {"a": (False, b"b\n")}


@pytest.mark.parametrize("size", [1, 26, 27, 51, 52, 53, 5000])
def test_what_is_no_text_is_a_binary_patch(workspace: Workspace, size: int) -> None:
    content = bytes((n * n * 7 + n) % 251 for n in range(size)) + b"\0"  # hardly compressible
    for name in ("edited", "deleted", "text", "mode"):
        (workspace.root / name).write_bytes(name.encode() + content)
    workspace.run(
        f"head -c {size} edited > draft; printf '\\377\\000' >> draft; cat draft > edited;"
        " rm deleted; cat draft > added; chmod 755 added mode; echo now > text; rm draft;"
        " printf '\\377' > latin; printf '\\377' > mode"
    )
    copy = taken_by_git(workspace, patch(workspace.folder))
    assert files(copy) == files(workspace.folder / "workspace" / "upper")


@pytest.mark.parametrize("lines", [5000, 50_000])
def test_much_that_changed_takes_no_time(workspace: Workspace, lines: int) -> None:
    workspace.write("a", "".join(f"{n}\n" for n in range(lines)))
    workspace.run(f"seq {lines} -1 1 > a")
    text = patch(workspace.folder)
    assert files(taken_by_git(workspace, text)) == files(workspace.folder / "workspace" / "upper")


def test_the_summary_is_one_line_a_change(workspace: Workspace) -> None:
    workspace.write("gone")
    workspace.write("mode")
    workspace.write("text", "a")
    workspace.run("rm gone; chmod +x mode; echo longer > text; touch \"$(printf 'new\\nline')\"")
    assert stat(change_set(workspace.folder).changes) == (
        'D          0 gone\nP          0 mode\nA          0 "new\\nline"\nM          7 text\n'
    )
