"""Asking the package managers of this machine which registry they use when nothing is said.

In: the environment. Out: manager -> hosts. Never: a command run in the workspace, whose files could
name a program of their own; a wait above TIMEOUT_S; a host known to us.
"""

import http.client
import json
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping
from typing import Final
from urllib.parse import urljoin, urlsplit

from cleanroom.client.facts import proxies_in
from cleanroom.client.init_facts import host_of, is_below, site_of

TIMEOUT_S: Final = 15.0
PAGE_LIMIT: Final = 256 * 1024
REDIRECTS: Final = 3

# pip's own constant: from the pip that is installed, else from the one that venv would install.
_PIP_DEFAULT: Final = """
import glob, sys
try:
    import pip
except ImportError:
    import ensurepip, os
    folders = (os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"),
               "/usr/share/python-wheels")
    sys.path[:0] = [p for f in folders for p in glob.glob(os.path.join(f, "pip-*.whl"))]
from pip._internal.models.index import PyPI
print(PyPI.simple_url, PyPI.file_storage_domain)
"""
_FILE: Final = re.compile(r"""["'](?P<url>[^"'\s<>]+?\.(?:whl|tar\.gz|zip))(?:[#"'])""")


_INDEX: Final = re.compile(r"`(https://[^`\s]+)/config\.json`")  # in cargo's own words


def npm_registry(environ: Mapping[str, str]) -> str:
    """Return the URL that npm says it uses, "" if there is no npm."""
    npm = shutil.which("npm", path=environ.get("PATH"))
    return _output([npm, "config", "get", "registry"], environ).strip() if npm else ""


def yarn_registry(environ: Mapping[str, str]) -> str:
    """Return the URL that yarn says it uses, "" if there is no yarn.

    Where it is a shim of corepack, that fetches nothing for it; nor runs it a yarn of some folder.
    """
    yarn = shutil.which("yarn", path=environ.get("PATH"))
    quiet = {**environ, "COREPACK_ENABLE_NETWORK": "0", "YARN_IGNORE_PATH": "1"}
    for key in ("npmRegistryServer", "registry"):  # of yarn 2 and later, of yarn 1
        said = _output([yarn, "config", "get", key], quiet).strip() if yarn else ""
        if said.startswith("http"):
            return said
    return ""


def pip_defaults(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return pip's built-in index URL and the host of its files; "" if no python has a pip."""
    found = shutil.which("python3", path=environ.get("PATH"))
    for python in dict.fromkeys(filter(None, (found, sys.executable))):
        words = _output([python, "-I", "-c", _PIP_DEFAULT], environ).split()
        if len(words) == 2:
            return words[0], words[1]
    return "", ""


def cargo_index(environ: Mapping[str, str]) -> str:
    """Return the URL of cargo's own sparse index, "" if there is no cargo or none that says it.

    No command of cargo prints it, so cargo is let look for a package through a proxy that is not
    there, and says what it could not fetch.
    """
    cargo = shutil.which("cargo", path=environ.get("PATH"))
    if not cargo:
        return ""
    nowhere = {"CARGO_HTTP_PROXY": "http://127.0.0.1:9", "CARGO_NET_RETRY": "0"}
    alone = {"NO_PROXY": "", "no_proxy": "", "CARGO_TERM_COLOR": "never", "LC_ALL": "C"}
    argv = [cargo, "info", "--registry", "crates-io", "cleanroom"]
    found = _INDEX.search(_output(argv, {**environ, **nowhere, **alone}, fails=True))
    return found[1] if found else ""


def crate_sites(index: str) -> list[str]:
    """Return the site that a sparse index serves crates from, by its config.json.

    At the index's own host it has a path, since that has the index too.

    Empty if the index cannot be asked.
    """
    try:
        _, page = _fetch(f"{index.rstrip('/')}/config.json")
        said = json.loads(page)
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return []
    where = said.get("dl") if isinstance(said, dict) else None
    own, crates = site_of(index), where.partition("{")[0] if isinstance(where, str) else ""
    site, host = site_of(crates), host_of(crates)
    if not host or is_below(site, own):
        return [own] if host else []
    return [site if is_below(own, host) else host]


def go_proxies(environ: Mapping[str, str]) -> list[str]:
    """Return the URLs of the module proxies that go says it uses; none if there is no go."""
    go = shutil.which("go", path=environ.get("PATH"))
    return proxies_in(_output([go, "env", "GOPROXY"], environ).strip()) if go else []


def _output(argv: list[str], environ: Mapping[str, str], *, fails: bool = False) -> str:
    """Return what a program prints; "" if it fails. It starts in /: see the module's Never.

    `fails`: it is to fail, and what it says of that is returned too.
    """
    try:
        done = subprocess.run(
            argv,
            cwd="/",
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=not fails,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    said = done.stdout + done.stderr if fails else done.stdout
    return said.decode(errors="replace")


def file_sites(index: str, project: str = "pip") -> list[str]:
    """Return the sites that an index (PEP 503) serves files from, by the page of one project.

    Empty if the index cannot be asked.
    """
    try:
        url, page = _fetch(f"{index.rstrip('/')}/{project}/")
    except (OSError, http.client.HTTPException, ValueError):
        return []
    own = site_of(index)
    urls = (urljoin(url, file["url"]) for file in _FILE.finditer(page))
    found = (own if is_below(site_of(each), own) else host_of(each) for each in urls)
    return sorted({site for site in found if site})


def _fetch(url: str) -> tuple[str, str]:
    """Return the final URL and the beginning of its page. Raises OSError, HTTPException."""
    for _ in range(REDIRECTS):
        parts = urlsplit(url)
        host = parts.hostname or ""
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                host, parts.port, timeout=TIMEOUT_S, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", parts.path, headers={"Accept": "text/html"})
            answer = connection.getresponse()
            if answer.status not in (301, 302, 303, 307, 308):
                return url, answer.read(PAGE_LIMIT).decode(errors="replace")
            url = urljoin(url, answer.getheader("Location", ""))
        finally:
            connection.close()
    message = "too many redirects"
    raise http.client.HTTPException(message)
