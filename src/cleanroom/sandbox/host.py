"""What the daemon learned of its host, its workspace and its client before it plans a sandbox.

In: nothing. Out: closed value types, filled by backends/host.py, backends/workspace and the API.
Never: a secret, a private key, or a path that was not looked at.
"""

from dataclasses import dataclass, replace

from cleanroom.sandbox.java import java_trust_store
from cleanroom.sandbox.spec import Overlay

WORKSPACE = "/workspace"
HOME = "/home/cleanroom"
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
AUTHORITY = "/etc/ssl/cleanroom.pem"  # the sandbox's own, which the bundle ends with
JAVA_TRUST = "/etc/ssl/certs/java/cacerts"


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link of the host at `path` with the text `points_to`."""

    path: str
    points_to: str


@dataclass(frozen=True, slots=True)
class ToolFolder:
    """A folder of tools the operator named; `bins` are its `bin` folders that exist."""

    path: str  # canonical
    bins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The parts of this host that every sandbox sees, and all that it sees.

    `system` are folders such as /usr, shown read-only; `links` are /bin -> usr/bin and the like,
    and links of /etc; `etc` are the entries of the short list that exist, but for `etc_files`, the
    small files among them. `ca_bundle` holds certificates only: the system's and the operator's.
    """

    system: tuple[str, ...]
    links: tuple[Link, ...]
    etc: tuple[str, ...]
    ca_bundle: bytes
    tools: tuple[ToolFolder, ...] = ()
    has_java: bool = False
    java_trust: bytes = b""  # Java's own form of `ca_bundle`, where it differs from the host's
    etc_files: tuple[str, ...] = ()
    authority: bytes = b""  # the sandbox's own, also a part of `ca_bundle`; b"": it has none


def trusting(host: HostFacts, authority: str) -> HostFacts:
    """Return the host as a sandbox sees it that trusts `authority` (PEM, or "") as well."""
    if not authority:
        return host
    own = authority.encode("ascii")
    bundle = host.ca_bundle + own
    java = java_trust_store(bundle) if host.has_java else b""
    return replace(host, ca_bundle=bundle, java_trust=java, authority=own)


@dataclass(frozen=True, slots=True)
class WorkspaceView:
    """How a repository appears inside: its overlay first, then the git folder of a worktree.

    `left_out` are files of the workspace, relative, that the sandbox does not see; `notes` are
    sentences for the person. `started_ns` is when it was taken, by the file system's own clock.
    """

    host_path: str  # canonical
    overlays: tuple[Overlay, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    started_ns: int = 0


@dataclass(frozen=True, slots=True)
class ClientEnvironment:
    """What the client said of its user: nothing here is a secret.

    `registries` maps npm, pip, uv, yarn, go to the URL that client uses, without userinfo.
    """

    path: str = ""
    term: str = ""
    colorterm: str = ""
    lang: str = ""
    tz: str = ""
    no_color: bool = False
    git_name: str = ""
    git_email: str = ""
    registries: tuple[tuple[str, str], ...] = ()
