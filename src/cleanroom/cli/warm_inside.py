"""Runs inside a sandbox, alone: asks its registries for what lock files pin (`cache warm`).

In: PinnedArtifacts (api/cache_types.py) as JSON on standard input, and `every`: also files for
other systems. Out: one JSON object a line: a file fetched, a failure, a package that is through.
Never: a file written, or anything done with what came; the gateway judges each request as always.

Python 3.8 must read it: another interpreter than the command line's own runs it.
"""

from __future__ import annotations

import html
import json
import os
import platform
import queue
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urljoin
from urllib.request import Request, urlopen  # noqa: TID251 -- inside, it is all there is

THREADS = 8
TIMEOUT_S = 120
CHUNK = 1024 * 1024
NPM_ACCEPT = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*"
PYPI_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1,"
    " text/html; q=0.01"
)
MACHINE = platform.machine()
CPU = {"x86_64": "x64", "aarch64": "arm64"}.get(MACHINE, MACHINE)
LIBC = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
LINUX = "manylinux" if LIBC == "glibc" else "musllinux"
MINOR = sys.version_info[1]
GIT_ERROR = re.compile(rb"[0-9a-f]{4}ERR ([^\n]{0,1000})")  # answered in 200
ATTRIBUTE = re.compile(r"([a-z-]+)=\"([^\"]*)\"")

_saying = threading.Lock()
_asking = threading.Lock()  # what all packages of a registry need


def say(**fields: object) -> None:
    """Write one line."""
    with _saying:
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()


def ask(url: str, accept: str, body: bytes | None = None, **fields: str) -> Any:  # noqa: ANN401 -- what urlopen returns
    """Begin a request; its answer is a context manager. Raises OSError, ValueError."""
    # Whatever its scheme: a sandbox may read its own files, and the gateway judges all else.
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    request = Request(url, body, headers={"Accept": accept, **named})  # noqa: S310 -- as above
    return urlopen(request, timeout=TIMEOUT_S)  # noqa: S310 -- as above


def why_not(error: Exception) -> str:
    """Return the reason in few words; the gateway says it in the phrase after the status."""
    return str(getattr(error, "reason", "") or error)


def fetch(label: str, *urls: str, body: bytes | None = None, **fields: str) -> None:
    """Have a file come through the cache, from the first address that has it, and say so."""
    failures = []
    for url in urls:
        try:
            with ask(url, "*/*", body, **fields) as answer:
                begin = answer.read(CHUNK)
                size = len(begin) + sum(map(len, iter(lambda: answer.read(CHUNK), b"")))
        except (OSError, ValueError) as error:
            failures.append(why_not(error))
            continue
        no_pack = GIT_ERROR.match(begin)
        if not no_pack:
            say(fetched=label, bytes=size)
            return
        failures.append(no_pack[1].decode(errors="replace"))
    say(failed=label, why=failures[0])


def page(registry: dict[str, Any], path: str, accept: str, label: str) -> tuple[Any, str]:
    """Return a registry's page of one package, and its address; ({}, "") if no host has it.

    Every host is asked: which one clients will ask is theirs to choose.
    """
    found: tuple[Any, str] = ({}, "")
    why = ""
    for host in registry["hosts"]:
        url = f"https://{host}{path}"
        try:
            with ask(url, accept) as answer:
                document = read(answer.read())
        except (OSError, ValueError) as error:
            why = why_not(error)
        else:
            found = found if found[1] else (document, url)
    if not found[1]:
        say(failed=label, why=why)
    return found


def read(data: bytes) -> dict[str, Any]:
    """Return a page's JSON; of an index that has only HTML, its links as JSON would have them."""
    if data.lstrip()[:1] == b"{":
        return dict(json.loads(data))
    return {"files": list(links(data.decode(errors="replace")))}


def links(text: str) -> Iterator[dict[str, Any]]:
    """Yield the files of an index's HTML page (PEP 503)."""
    for attributes, name in re.findall(r"<a\s([^>]{1,4096})>([^<]{1,512})</a>", text):
        said = {key: html.unescape(value) for key, value in ATTRIBUTE.findall(attributes)}
        url, _, fragment = said.get("href", "").partition("#")
        algorithm, _, digest = fragment.partition("=")
        has_side_file = "data-core-metadata" in said or "data-dist-info-metadata" in said
        yield {
            "filename": html.unescape(name.strip()),
            "url": url,
            "hashes": {algorithm: digest} if digest else {},
            "core-metadata": has_side_file,
        }


# --- npm ------------------------------------------------------------------------------------


def npm(registry: dict[str, Any], name: str, pins: list[Any], *, every: bool) -> None:
    """Fetch a package's page and its pinned versions."""
    path = "/" + quote(name, safe="@/").replace("/", "%2f")
    found, _ = page(registry, path, NPM_ACCEPT, name)
    versions = found.get("versions") or {}
    for pin in pins:
        about = versions.get(pin["version"]) or {}
        url = pin["url"] or (about.get("dist") or {}).get("tarball")
        if url and (every or npm_fits(about)):
            fetch(f"{name} {pin['version']}", url)


def npm_fits(about: dict[str, Any]) -> bool:
    """Tell whether a version is for this system."""
    wanted = (("os", "linux"), ("cpu", CPU), ("libc", LIBC))
    return all(one_fits(about.get(key) or [], mine) for key, mine in wanted)


def one_fits(said: str | list[str], mine: str) -> bool:
    """Tell whether a list like ["!win32"] or ["linux"] means `mine`."""
    listed = [said] if isinstance(said, str) else said
    only = [each for each in listed if not each.startswith("!")]
    return f"!{mine}" not in listed and (not only or mine in only or "any" in only)


# --- PyPI -----------------------------------------------------------------------------------


def pypi(registry: dict[str, Any], name: str, pins: list[Any], *, every: bool) -> None:
    """Fetch a project's page, and its pinned files with their side files."""
    found, base = page(registry, f"/simple/{quote(name)}/", PYPI_ACCEPT, name)
    files = [each for each in found.get("files") or [] if any(is_meant(each, pin) for pin in pins)]
    wheels = [each for each in files if wheel_fits(each["filename"])]
    sources = [each for each in files if not each["filename"].endswith(".whl")]
    for each in files if every else wheels or sources:
        url = urljoin(base, each["url"])
        fetch(each["filename"], url)
        if each.get("core-metadata") or each.get("data-dist-info-metadata"):
            fetch(f"{each['filename']}.metadata", f"{url}.metadata")


def is_meant(file: dict[str, Any], pin: dict[str, Any]) -> bool:
    """Tell whether a pin is of this file of the page."""
    if pin["file"]:
        return bool(file["filename"] == pin["file"])
    if pin["digests"]:
        said = {f"{name}:{value}" for name, value in (file.get("hashes") or {}).items()}
        return not said.isdisjoint(pin["digests"])
    return plain_version(version_of(file["filename"])) == plain_version(pin["version"])


def version_of(filename: str) -> str:
    """Return the version in a file's name, as it is written there."""
    if filename.endswith(".whl"):
        return filename.split("-")[1] if filename.count("-") >= 4 else ""
    return re.sub(r"\.(tar\.\w+|zip|tgz)$", "", filename).rpartition("-")[2]


def plain_version(text: str) -> str:
    """Return a version without zeros at its end, as lock files' pins have it."""
    return re.sub(r"(\.0)+$", "", text.lower())


def wheel_fits(filename: str) -> bool:
    """Tell whether a wheel is for this system and this Python."""
    if not filename.endswith(".whl") or filename.count("-") < 4:
        return False
    python, abi, system = filename[:-4].split("-")[-3:]
    fits = any(python_fits(each, abi) for each in python.split("."))
    return fits and any(map(system_fits, system.split(".")))


def system_fits(tag: str) -> bool:
    """Tell whether a platform tag is this system's."""
    return tag == "any" or (tag.startswith((LINUX, "linux")) and tag.endswith(f"_{MACHINE}"))


def python_fits(tag: str, abi: str) -> bool:
    """Tell whether a Python tag is this Python's."""
    if tag in ("py3", f"cp3{MINOR}"):
        return True
    number = tag[3:]
    older = number.isdigit() and int(number) <= MINOR
    return older and (tag.startswith("py3") or (tag.startswith("cp3") and abi == "abi3"))


# --- Cargo ----------------------------------------------------------------------------------


def cargo(registry: dict[str, Any], name: str, pins: list[Any], *, every: bool) -> None:
    """Fetch a crate's page of the index, and its pinned versions; they are for every system."""
    del every
    index, download = index_of(registry)
    if not download:
        return
    fetch(f"{name} (index)", f"{index}/{index_path(name).lower()}")
    for pin in pins:
        fetch(f"{name} {pin['version']}", crate_url(download, name, pin))


def index_of(registry: dict[str, Any]) -> tuple[str, str]:
    """Return where a registry has its index and its crates, asked once."""
    with _asking:
        if "index" not in registry:
            found, url = page(registry, "/config.json", "*/*", "config.json")
            registry["index"] = (url.rpartition("/")[0], str(found.get("dl") or ""))
        return tuple(registry["index"])


def index_path(name: str) -> str:
    """Return where an index has a crate."""
    if len(name) <= 2:
        return f"{len(name)}/{name}"
    return f"3/{name[0]}/{name}" if len(name) == 3 else f"{name[:2]}/{name[2:4]}/{name}"


def crate_url(download: str, name: str, pin: dict[str, Any]) -> str:
    """Return a crate's address, by the `dl` of its registry."""
    prefix = index_path(name).rpartition("/")[0]
    values = {
        "{crate}": name,
        "{version}": pin["version"],
        "{prefix}": prefix,
        "{lowerprefix}": prefix.lower(),
        "{sha256-checksum}": "".join(pin["digests"][:1]).rpartition(":")[2],
    }
    url = download
    for marker, value in values.items():
        url = url.replace(marker, value)
    return url if url != download else f"{download}/{name}/{pin['version']}/download"


# --- Go -------------------------------------------------------------------------------------

GO_FILES = {"zip": ("info", "zip"), "go.mod": ("mod",), "": ("info", "mod", "zip")}


def go(registry: dict[str, Any], name: str, pins: list[Any], *, every: bool) -> None:
    """Fetch the pinned files of a module, each from the first host that has it."""
    del every
    for pin in pins:
        below = f"/{go_path(name)}/@v/{go_path(pin['version'])}"
        for kind in GO_FILES[pin["file"]]:
            urls = [f"https://{host}{below}.{kind}" for host in registry["hosts"]]
            fetch(f"{name} {pin['version']} ({kind})", *urls)


def go_path(text: str) -> str:
    """Return a module's path or version as Go writes it in addresses."""
    return re.sub("[A-Z]", lambda found: f"!{found[0].lower()}", text)


# --- git ------------------------------------------------------------------------------------

# As decide/fresh.py has every client ask that has nothing of a repository yet: these answers are
# found again by all of them.
NEW = {"Git_Protocol": "version=2"}
TALK = {"Content_Type": "application/x-git-upload-pack-request"}
LIST = ("peel", "symrefs", "ref-prefix HEAD", "ref-prefix refs/heads/", "ref-prefix refs/tags/")
OID = re.compile(rb"[0-9a-f]{4}([0-9a-f]{40}(?:[0-9a-f]{24})?) ")


def git(registry: dict[str, Any], name: str, pins: list[Any], *, every: bool) -> None:
    """Fetch the pinned commits of a repository: together as clones do, and each by itself."""
    del registry, every
    for url in sorted({pin["url"] for pin in pins}):
        commits = branches(name, url)
        if commits:
            for wants in sorted({tuple(commits), *((each,) for each in commits)}):
                label = name if len(wants) > 1 else f"{name} {wants[0][:12]}"
                where = f"{url}/git-upload-pack"
                fetch(label, where, body=fetch_body(wants), **TALK, **NEW)
                shallow = fetch_body(wants, "deepen 1")
                fetch(f"{label} (depth 1)", where, body=shallow, **TALK, **NEW)
                fetch(f"{label} (version 0)", where, body=old_fetch_body(wants), **TALK)


def branches(name: str, url: str) -> list[str]:
    """Have a repository's lists of branches come; return all commits that they show."""
    try:
        first = b""
        for protocol in ({}, NEW):
            with ask(f"{url}/info/refs?service=git-upload-pack", "*/*", None, **protocol) as answer:
                first = answer.read()
        form = ("object-format=sha256",) if b"object-format=sha256" in first else ()
        body = packets("command=ls-refs", *form, None, *LIST) + b"0000"
        with ask(f"{url}/git-upload-pack", "*/*", body, **TALK, **NEW) as answer:
            listed = answer.read()
    except (OSError, ValueError) as error:
        say(failed=name, why=why_not(error))
        return []
    found = sorted({each.decode() for each in OID.findall(listed)})
    if not found:
        say(failed=name, why="its host shows no branch of it")
    return found


def fetch_body(wants: tuple[str, ...], *more: str) -> bytes:
    """Return a request for all of these commits; `more` is how much of them."""
    form = ("object-format=sha256",) if len(wants[0]) > 40 else ()
    lines = ("no-progress", *(f"want {each}" for each in wants), *more, "done")
    return packets("command=fetch", *form, None, *lines) + b"0000"


def old_fetch_body(wants: tuple[str, ...]) -> bytes:
    """Return it as versions 0 and 1 of the protocol have it, for Cargo's own client."""
    form = " object-format=sha256" if len(wants[0]) > 40 else ""
    first = f"want {wants[0]} no-progress{form} side-band-64k"
    return packets(first, *(f"want {each}" for each in wants[1:])) + b"0000" + packets("done")


def packets(*lines: str | None) -> bytes:
    """Return git's packets; None parts a message."""
    made = [f"{len(each) + 5:04x}{each}\n" if each is not None else "0001" for each in lines]
    return "".join(made).encode()


# --- all of it ------------------------------------------------------------------------------

MANAGERS = {"npm": npm, "pypi": pypi, "cargo": cargo, "go": go, "git": git}


def packages_of(wanted: dict[str, Any]) -> list[tuple[dict[str, Any], str, list[Any]]]:
    """Return each package once, with all its pins."""
    found = []
    for registry in wanted["registries"]:
        packages: dict[str, list[Any]] = {}
        for artifact in registry["artifacts"]:
            packages.setdefault(artifact["name"], []).append(artifact)
        found += [(registry, name, pins) for name, pins in sorted(packages.items())]
    return found


def main() -> None:
    """Fetch everything, several at once."""
    wanted = json.load(sys.stdin)
    packages = packages_of(wanted)
    say(packages=len(packages))
    work: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for each in packages:
        work.put(each)

    def run() -> None:
        while True:
            try:
                registry, name, pins = work.get_nowait()
            except queue.Empty:
                return
            try:
                MANAGERS[registry["manager"]](registry, name, pins, every=wanted["every"])
            except (KeyError, TypeError, AttributeError) as error:
                say(failed=name, why=f"its page cannot be read: {error!r}")
            say(through=name)

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(done=True)


if __name__ == "__main__":
    main()
    os._exit(0)  # no connection that a registry keeps open is waited for
