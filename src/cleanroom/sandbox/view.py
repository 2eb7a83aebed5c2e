"""The root view `host`: what a sandbox sees of the machine it runs on.

In: facts of the host, the view of a workspace. Out: mounts, in order.
Never: a whole home, /run, /sys, a socket, a private key, or anything writable but the workspace's
upper layer and folders in memory.
"""

from dataclasses import replace
from typing import Final

from cleanroom.sandbox.host import (
    AUTHORITY,
    CA_BUNDLE,
    HOME,
    JAVA_TRUST,
    WORKSPACE,
    HostFacts,
    WorkspaceView,
)
from cleanroom.sandbox.spec import Bind, File, Mount, Overlay, Symlink, Tmpfs

HOSTNAME: Final = "cleanroom"

# Sizes are ceilings, not reservations: memory is used as files are written.
HOME_BYTES: Final = 4 * 1024**3  # package caches live here
TMP_BYTES: Final = 2 * 1024**3
RUN_BYTES: Final = 16 * 1024**2

# Where other distributions' programs look for the one bundle.
CA_LINKS: Final = (
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)

# The two addresses of the gateway; any other works as well, all arrive there.
_RESOLV_CONF: Final = (
    b"nameserver 198.18.0.1\nnameserver fd00:c1ea::1\noptions timeout:2 attempts:2\n"
)
_NSSWITCH: Final = (
    b"passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
    b"networks: files\nprotocols: files\nservices: files\nethers: files\nrpc: files\n"
)
_PASSWD: Final = (
    b"root:x:0:0:root:/root:/usr/sbin/nologin\n"
    b"cleanroom:x:1000:1000:cleanroom:/home/cleanroom:/bin/sh\n"
    b"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
)
_GROUP: Final = b"root:x:0:\ntty:x:5:\ncleanroom:x:1000:\nnogroup:x:65534:\n"
_HOSTS: Final = f"127.0.0.1 localhost {HOSTNAME}\n::1 localhost {HOSTNAME}\n".encode()

# The workspace appears at its host path too, unless that path belongs to the sandbox itself.
_OWN_PLACES: Final = ("/proc", "/dev", "/sys", "/.cleanroom", WORKSPACE)


def build_mounts(host: HostFacts, workspace: WorkspaceView) -> tuple[Mount, ...]:
    """Everything the sandbox sees, outermost first."""
    return (
        *(Bind(folder, folder) for folder in host.system),
        *(Symlink(link.points_to, link.path) for link in host.links),
        *(Bind(entry, entry) for entry in host.etc),
        *(Bind(entry, entry, still=True) for entry in host.etc_files),
        *_own_files(host),
        *_memory(),
        *(Overlay((tool.path,), (tool.path,)) for tool in host.tools),
        *_placed(workspace),
    )


def _own_files(host: HostFacts) -> tuple[Mount, ...]:
    trust = ((host.java_trust, JAVA_TRUST), (host.authority, AUTHORITY))
    return (
        File(_PASSWD, "/etc/passwd"),
        File(_GROUP, "/etc/group"),
        File(_HOSTS, "/etc/hosts"),
        File(f"{HOSTNAME}\n".encode(), "/etc/hostname"),
        File(_RESOLV_CONF, "/etc/resolv.conf"),
        File(_NSSWITCH, "/etc/nsswitch.conf"),
        File(host.ca_bundle, CA_BUNDLE),
        *(Symlink(CA_BUNDLE, link) for link in CA_LINKS),
        *(File(data, path) for data, path in trust if data),
    )


def _memory() -> tuple[Mount, ...]:
    return (
        Tmpfs("/tmp", TMP_BYTES, 0o1777),  # noqa: S108 -- the sandbox's own
        Symlink("/tmp", "/var/tmp"),  # noqa: S108
        Symlink("/run", "/var/run"),
        Tmpfs("/run", RUN_BYTES),
        Tmpfs(HOME, HOME_BYTES, 0o700),
    )


def _placed(workspace: WorkspaceView) -> tuple[Mount, ...]:
    """The repository at /workspace and at its host path, so that virtual environments work."""
    return tuple(
        replace(
            overlay,
            targets=tuple(dict.fromkeys(each for each in overlay.targets if not _is_own(each))),
        )
        for overlay in workspace.overlays
    )


def _is_own(target: str) -> bool:
    """Whether `target` lies where only the sandbox's own things may be. /workspace itself may."""
    return target != WORKSPACE and any(
        target == place or target.startswith(f"{place}/") for place in _OWN_PLACES
    )
