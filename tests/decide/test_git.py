import pytest

from cleanroom.decide.git import ask_git, repository_of
from cleanroom.decide.question import Metadata, Push, Service, Talk, Unsound

READ = "service=git-upload-pack"


@pytest.mark.parametrize("name", ["lib.git", "team/lib", "~me/lib.git", "info/refs"])
def test_a_repository_is_read_in_two_steps(name: str) -> None:
    target = f"/{name}/info/refs?{READ}"
    assert ask_git(target) == Metadata(name, target, versions=False)
    assert ask_git(f"/{name}/git-upload-pack") == Talk(name, f"/{name}/git-upload-pack")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/a/git-receive-pack?x", "smart HTTP"),
        ("/git-receive-pack", "smart HTTP"),
        ("/info/refs?service=git-receive-pack", "smart HTTP"),
        ("/a/info/lfs/objects/batch", "LFS"),
        ("/a/info/refs", "smart HTTP"),
        (f"/a/info/refs?{READ}&a=b", "smart HTTP"),
        (f"/a/info/refs?x&{READ}", "smart HTTP"),
        ("/a/git-upload-pack?x", "smart HTTP"),
        (f"/info/refs?{READ}", "smart HTTP"),
        ("/git-upload-pack", "smart HTTP"),
        ("/a/HEAD", "smart HTTP"),
        ("/a/archive/main.zip", "smart HTTP"),
    ],
)
def test_nothing_else_is_there(target: str, why: str) -> None:
    asked = ask_git(target)
    assert isinstance(asked, Service)
    assert asked.path == target.partition("?")[0]
    assert why in asked.why


@pytest.mark.parametrize("target", ["/a/../b/git-upload-pack", "/a//git-upload-pack", "/%252e/x"])
def test_a_path_has_one_reading(target: str) -> None:
    assert isinstance(ask_git(target), Unsound)


def test_a_repository_is_pushed_to_in_two_steps() -> None:
    target = "/team/lib.git/info/refs?service=git-receive-pack"
    assert ask_git(target) == Push("team/lib.git", target, "GET")
    target = "/team/lib.git/git-receive-pack"
    assert ask_git(target) == Push("team/lib.git", target, "POST")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/team/lib.git/info/refs", "team/lib"),
        ("/team/lib/git-upload-pack", "team/lib"),
        ("/team%2flib.git/git-receive-pack", "team/lib"),
        ("/team/lib.git.git/git-receive-pack", "team/lib.git"),
        ("/team/lib/info/refs/git-upload-pack", "team/lib/info/refs"),
        ("/team/lib.git", ""),
        ("/team/lib.git/HEAD", ""),
        ("/team/../lib.git/info/refs", ""),
        ("/api/v4/user", ""),
    ],
)
def test_a_path_belongs_to_one_repository(path: str, name: str) -> None:
    assert repository_of(path) == name
