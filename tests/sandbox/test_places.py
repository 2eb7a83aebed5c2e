"""Where something of the person's may appear inside, and where never."""

import pytest

from cleanroom.errors import UserError
from cleanroom.policy.demands import Limits
from cleanroom.sandbox.places import add_places
from cleanroom.sandbox.spec import Bind, File, Overlay, SandboxSpec, Symlink, Tmpfs

SPEC = SandboxSpec(
    "sbx_1",
    "cleanroom",
    (
        Bind("/usr", "/usr"),
        Symlink("usr/bin", "/bin"),
        File(b"", "/etc/passwd"),
        Tmpfs("/tmp", 1),  # noqa: S108
        Tmpfs("/home/cleanroom", 1),
        Tmpfs("/var/cache", 1),
        Overlay(("/workspace", "/home/ann/project"), ("/home/ann/project",)),
    ),
    (),
    "/workspace",
    Limits(),
    frozenset(),
)


def at(*targets: str) -> list[Overlay]:
    return [Overlay((target,), ("/data",)) for target in targets]


@pytest.mark.parametrize(
    "target",
    ["/data", "/tmp/a", "/home/cleanroom/.cache", "/home/ann/other", "/srv/a/b"],  # noqa: S108
)
def test_a_place_of_its_own_is_given(target: str) -> None:
    assert add_places(SPEC, at(target)).mounts == (*SPEC.mounts, *at(target))


@pytest.mark.parametrize(
    "target",
    [
        *("/", "/usr", "/usr/bin", "/bin", "/bin/x", "/etc", "/etc/x", "/proc/1", "/dev", "/sys"),
        *("/run/x", "/.cleanroom/agent", "/opt/cleanroom/mise", "/opt", "/tmp", "/var", "/home"),  # noqa: S108
        *("/home/cleanroom", "/var/cache/x", "/workspace", "/workspace/a", "/home/ann"),
        "/home/ann/project/src",
    ],
)
def test_what_cleanroom_put_there_stays(target: str) -> None:
    with pytest.raises(UserError, match="the sandbox has"):
        add_places(SPEC, at(target))


@pytest.mark.parametrize(
    "target", ["", "data", "//data", "/data/", "/a/../usr", "/a//b", "/./a", "/a\n", "/a\0"]
)
def test_a_place_is_a_plain_absolute_path(target: str) -> None:
    with pytest.raises(UserError, match="no plain absolute path"):
        add_places(SPEC, at(target))


@pytest.mark.parametrize("other", ["/data", "/data/a", "/"])
def test_no_two_things_are_at_one_place(other: str) -> None:
    with pytest.raises(UserError, match="the sandbox has"):
        add_places(SPEC, at("/data", other))


def test_a_volume_may_be_the_whole_home_and_nothing_else_of_the_sandbox() -> None:
    def volume(target: str) -> Overlay:
        return Overlay((target,), ("/empty",), "/v/upper", "/v/work")

    assert add_places(SPEC, [volume("/home/cleanroom")]).mounts[-1] == volume("/home/cleanroom")
    for target in ("/home", "/workspace", "/usr"):
        with pytest.raises(UserError, match="the sandbox has"):
            add_places(SPEC, [volume(target)])
    with pytest.raises(UserError, match="the sandbox has"):
        add_places(SPEC, [*at("/home/cleanroom/data"), volume("/home/cleanroom")])
    nested = [volume("/home/cleanroom"), *at("/home/cleanroom/data")]
    assert add_places(SPEC, nested).mounts[-2:] == tuple(nested)
