"""The root view: what is in it, in which order, and what never is."""

from dataclasses import replace

from cleanroom.sandbox.host import (
    CA_BUNDLE,
    JAVA_TRUST,
    HostFacts,
    Link,
    ToolFolder,
    WorkspaceView,
)
from cleanroom.sandbox.spec import Bind, File, Mount, Overlay, Symlink, Tmpfs
from cleanroom.sandbox.view import build_mounts

HOST = HostFacts(
    system=("/usr", "/lib64"),
    links=(Link("/bin", "usr/bin"),),
    etc=("/etc/alternatives",),
    etc_files=("/etc/ld.so.cache",),
    ca_bundle=b"roots",
    tools=(ToolFolder("/home/x/.nvm"),),
)


def view(host_path: str = "/home/x/repo", *more: Overlay) -> WorkspaceView:
    own = Overlay(("/workspace", host_path), ("/s/mask", host_path), "/s/up", "/s/wk", 1001, 1002)
    return WorkspaceView(host_path, (own, *more))


def targets(mounts: tuple[Mount, ...]) -> list[str]:
    found: list[str] = []
    for mount in mounts:
        found += mount.targets if isinstance(mount, Overlay) else (mount.target,)
    return found


def test_the_view_in_its_order() -> None:
    assert targets(build_mounts(HOST, view())) == [
        "/usr", "/lib64", "/bin", "/etc/alternatives", "/etc/ld.so.cache",
        "/etc/passwd", "/etc/group", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf",
        "/etc/nsswitch.conf", CA_BUNDLE, "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
        "/tmp", "/var/tmp", "/var/run", "/run", "/home/cleanroom",  # noqa: S108
        "/home/x/.nvm", "/workspace", "/home/x/repo",
    ]  # fmt: skip


def test_only_memory_and_the_upper_layer_can_be_written() -> None:
    for mount in build_mounts(HOST, view()):
        match mount:
            case Bind():
                assert not mount.writable
            case Overlay():
                assert mount.upper is None or mount.targets[0] == "/workspace"
            case File(mode=mode):
                assert not mode & 0o022
            case Tmpfs(size_bytes=size):
                assert 0 < size <= 4 * 1024**3
            case Symlink():
                pass


def test_only_small_files_of_etc_may_be_copies() -> None:
    still = [m for m in build_mounts(HOST, view()) if isinstance(m, Bind) and m.still]
    assert still == [Bind("/etc/ld.so.cache", "/etc/ld.so.cache", still=True)]


def test_tools_enter_as_overlays_for_a_bind_would_let_sockets_through() -> None:
    assert Overlay(("/home/x/.nvm",), ("/home/x/.nvm",)) in build_mounts(HOST, view())


def test_java_finds_its_trust_store_where_one_is_made() -> None:
    assert JAVA_TRUST not in targets(build_mounts(HOST, view()))
    opened = build_mounts(replace(HOST, java_trust=b"store"), view())
    assert File(b"store", JAVA_TRUST) in opened


def test_names_are_answered_by_the_gateway() -> None:
    files = {m.target: m.content for m in build_mounts(HOST, view()) if isinstance(m, File)}
    assert files["/etc/resolv.conf"].startswith(b"nameserver 198.18.0.1\n")
    assert b"cleanroom:x:1000:1000:" in files["/etc/passwd"]
    assert files[CA_BUNDLE] == b"roots"


def test_a_workspace_at_a_place_of_the_sandbox_is_only_at_workspace() -> None:
    for place in ("/workspace", "/proc/x", "/dev/repo", "/sys", "/.cleanroom/a"):
        shown = build_mounts(HOST, view(place))[-1]
        assert isinstance(shown, Overlay)
        assert shown.targets == ("/workspace",)
        assert (shown.owner_uid, shown.owner_gid) == (1001, 1002)


def test_a_worktrees_git_folder_comes_after_the_workspace() -> None:
    git = Overlay(("/home/x/main/.git",), ("/home/x/main/.git",), "/s/gu", "/s/gw")
    assert build_mounts(HOST, view("/home/x/repo", git))[-1] == git
