"""What this host can show to a sandbox: read once, kept by the daemon.

In: the operator's tool folders and extra roots. Out: HostFacts; where a program is on a PATH.
Never: a private key in the bundle, or an entry of /etc that is not on the short list.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cleanroom.errors import Code, UserError
from cleanroom.sandbox.host import HostFacts, Link, ToolFolder

_TOP: Final = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")

# What programs read there and what names nobody. No passwd, hosts or resolv.conf (the sandbox has
# its own), no configuration that may hold credentials (npmrc, pip.conf, gitconfig).
_ETC: Final = (
    "alternatives",
    "bash.bashrc",
    "bash_completion.d",
    "crypto-policies",
    "debian_version",
    "fonts",
    "gai.conf",
    "host.conf",
    "inputrc",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "login.defs",
    "magic",
    "magic.mime",
    "mime.types",
    "networks",
    "os-release",
    "perl",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "rpc",
    "services",
    "shells",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
)
_ETC_PATTERNS: Final = ("java-*-openjdk", "python3.*")

# The system's bundle, by distribution.
_BUNDLES: Final = (
    "etc/ssl/certs/ca-certificates.crt",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/ca-bundle.pem",
    "etc/ssl/cert.pem",
)
_CERTIFICATE: Final = re.compile(  # nothing but base64 between the lines: never a key
    rb"-----BEGIN (?:TRUSTED )?CERTIFICATE-----"
    rb"[A-Za-z0-9+/=\s]*"
    rb"-----END (?:TRUSTED )?CERTIFICATE-----"
)
_COPIED_BYTES: Final = 256 * 1024  # a sandbox's own copy of one file in memory
_MAX_PEM_BYTES: Final = 16 * 1024 * 1024
_BIN_DEPTH: Final = 3


def read_host(
    tools: Iterable[str] = (), trust: Iterable[str] = (), root: Path = Path("/")
) -> HostFacts:
    """Facts of the machine whose file system starts at `root`.

    `tools` are folders, `trust` PEM files, as the operator wrote them. Raises
    UserError(request_invalid) for one that is not there: a setting that has no effect is a fault.
    """
    system, links = _top_level(root)
    etc, etc_files, etc_links = _etc(root)
    return HostFacts(
        system=system,
        links=(*links, *etc_links),
        etc=etc,
        etc_files=etc_files,
        ca_bundle=_bundle(root, tuple(trust)),
        tools=(shown := tuple(_tool_folder(tool) for tool in tools)),
        has_java=_has_java(root, shown),
    )


def _has_java(root: Path, tools: tuple[ToolFolder, ...]) -> bool:
    bins = (str(root / "usr/bin"), *(folder for tool in tools for folder in tool.bins))
    return any((Path(folder) / "java").exists() for folder in bins)


def find_program(word: str, path: str) -> tuple[str, ...]:
    """Where the caller's PATH leads for `word`: the program, then what its links resolve to."""
    if not word or "/" in word:
        return ()
    found = shutil.which(word, path=path)
    if found is None or not found.startswith("/"):
        return ()
    return tuple(dict.fromkeys((found, os.path.realpath(found))))


def _top_level(root: Path) -> tuple[tuple[str, ...], tuple[Link, ...]]:
    """/usr and, beside it, either links into it or (not merged) folders of their own."""
    system, links = ["/usr"], []
    for name in _TOP:
        place = root / name
        if place.is_symlink():
            links.append(Link(f"/{name}", str(place.readlink())))
        elif place.is_dir():
            system.append(f"/{name}")
    return tuple(system), tuple(links)


def _etc(root: Path) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Link, ...]]:
    """What is shown as it is, what is small enough to be copied, and links."""
    etc = root / "etc"
    names = [*_ETC, *(str(p.relative_to(etc)) for each in _ETC_PATTERNS for p in etc.glob(each))]
    shown: list[str] = []
    files: list[str] = []
    links: list[Link] = []
    for name in sorted(names):
        place = etc / name
        if place.is_symlink():
            links.append(Link(f"/etc/{name}", str(place.readlink())))
        elif _is_public(place):
            small = place.is_file() and place.stat().st_size <= _COPIED_BYTES
            (files if small else shown).append(f"/etc/{name}")
    return tuple(shown), tuple(files), tuple(links)


def _is_public(place: Path) -> bool:
    """Whether everybody on the host may read it anyway."""
    try:
        mode = place.lstat().st_mode
    except OSError:
        return False
    return (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and bool(mode & 0o004)


def _bundle(root: Path, trust: tuple[str, ...]) -> bytes:
    """Certificates only: of the system's first bundle, then of the operator's files."""
    parts: list[bytes] = []
    for name in _BUNDLES:
        place = root / name
        if place.is_file():
            parts += _certificates(place)
            break
    for extra in trust:
        found = _certificates(Path(extra))
        if not found:
            message = f"cannot trust '{extra}': it holds no certificate"
            raise UserError(Code.REQUEST_INVALID, message, "gateway.trust names PEM files")
        parts += found
    return b"".join(part + b"\n" for part in dict.fromkeys(parts))


def _certificates(place: Path) -> list[bytes]:
    try:
        with place.open("rb") as file:
            return _CERTIFICATE.findall(file.read(_MAX_PEM_BYTES))
    except OSError as error:
        message = f"cannot read the certificates of '{place}': {error.strerror}"
        raise UserError(Code.REQUEST_INVALID, message, "gateway.trust names PEM files") from error


def _tool_folder(written: str) -> ToolFolder:
    path = os.path.realpath(Path(written).expanduser())
    if not Path(path).is_dir():
        message = f"cannot show the tools of '{written}': there is no such folder"
        raise UserError(Code.REQUEST_INVALID, message, "tools names folders, in config.yaml")
    if path == "/" or path == os.path.realpath(Path.home()):
        message = f"cannot show '{written}' whole: it holds more than tools"
        raise UserError(Code.REQUEST_INVALID, message, "name the tool's own folder, such as ~/.nvm")
    return ToolFolder(path, tuple(_bins(path)))


def _bins(path: str) -> list[str]:
    """Its `bin` folders, near the top and, for a store of versions, below."""
    found = []
    for folder, names, _ in os.walk(path):
        depth = folder.count("/") - path.count("/")
        if folder.endswith("/bin"):
            found.append(folder)
        names[:] = sorted(names) if depth < _BIN_DEPTH and not folder.endswith("/bin") else []
    return found[:16]
