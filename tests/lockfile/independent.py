"""A second reading of lock files, by other means than the product: the ecosystem's own library
where the tests have one (packaging), else a few lines that look for nothing but digests.

In: a text. Out: the (name, version, digest) that it fixes. Never: code of the product.
"""

import base64
import binascii
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml
from packaging.pylock import PackageSdist, PackageWheel, Pylock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, canonicalize_version

Fixed = tuple[str, str, str]


def _sri(text: str) -> Iterator[str]:
    for algorithm, value in re.findall(r"(sha\d+)-([A-Za-z0-9+/=]+)", text):
        try:
            digest = base64.b64decode(value).hex()
        except binascii.Error:
            continue
        if len(digest) == {"sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}[algorithm]:
            yield f"{algorithm}:{digest}"


def npm(text: str) -> Iterator[Fixed]:
    root = json.loads(text)
    for key, entry in root.get("packages", {}).items():
        if key and not entry.get("inBundle"):
            name = entry.get("name") or key.split("node_modules/")[-1]
            for digest in _sri(entry.get("integrity", "")):
                yield name, entry["version"], digest
    if "packages" not in root:
        yield from _npm_nested(root["dependencies"])


def _npm_nested(dependencies: dict[str, dict[str, object]]) -> Iterator[Fixed]:
    for key, entry in dependencies.items():
        version = str(entry["version"])
        name = key
        if version.startswith("npm:"):
            name, version = version[4:].rsplit("@", 1)
        for digest in _sri(str(entry.get("integrity", ""))):
            yield name, version, digest
        nested = entry.get("dependencies", {})
        assert isinstance(nested, dict)
        yield from _npm_nested(nested)


def yarn(text: str) -> Iterator[Fixed]:
    """Blocks are cut at blank lines; the name is the one in the address."""
    for block in re.split(r"\n\s*\n", text):
        address = re.search(
            r'resolved"? "https://[^/]+/((?:@[^/]+/)?[^/]+)/-/[^"#]*#?(\w*)"', block
        )
        version = re.search(r'version"? "([^"]+)"', block)
        if address and version:
            digests = list(_sri(block)) or [f"sha1:{address[2]}"]
            yield from ((address[1], version[1], digest) for digest in digests)


def berry(text: str) -> Iterator[Fixed]:
    for name, version in re.findall(r'resolution: "(.+?)@npm:([^"]+)"', text):
        yield name, version, ""


def pnpm(text: str) -> Iterator[Fixed]:
    for document in yaml.safe_load_all(text):
        for key, entry in ((document or {}).get("packages") or {}).items():
            if key.startswith("file:") or "@file:" in key:
                continue
            bare = key.lstrip("/").split("(")[0]
            slashed = float(document["lockfileVersion"]) < 6
            name, version = bare.rsplit("/" if slashed else "@", 1)
            for digest in _sri(entry["resolution"].get("integrity", "")):
                yield name, version.split("_")[0] if slashed else version, digest


def bun(text: str) -> Iterator[Fixed]:
    """JSON with trailing commas is YAML."""
    for first, *rest in yaml.safe_load(text)["packages"].values():
        name, version = first.rsplit("@", 1)
        if version[0].isdigit() and rest:
            yield from ((name, version, digest) for digest in _sri(rest[-1]))


def requirements(text: str) -> Iterator[Fixed]:
    plain = re.sub(r"(?m)^ *#.*", "", text).replace("\\\n", " ")
    for line in filter(str.strip, plain.split("\n")):
        bare, *hashes = line.split("--hash=")
        wanted = Requirement(bare)
        [exact] = wanted.specifier
        for digest in [each.strip() for each in hashes] or [""]:
            yield canonicalize_name(wanted.name), canonicalize_version(exact.version), digest


def python_toml(text: str) -> Iterator[Fixed]:
    """poetry, pdm, uv: whatever has a file with a hash, under a package or beside it."""
    root = tomllib.loads(text)
    beside = root.get("metadata", {}).get("files", {})
    for package in root.get("package", []):
        name, version = package["name"], package.get("version", "")
        files = [*package.get("files", []), *package.get("wheels", [])]
        files += [package["sdist"]] if "sdist" in package else []
        files += beside.get(name, []) + beside.get(f"{name} {version}", [])
        for file in files:
            yield canonicalize_name(name), canonicalize_version(version), file["hash"]


def pylock(text: str) -> Iterator[Fixed]:
    lock = Pylock.from_dict(tomllib.loads(text))
    for package in lock.packages:
        version = canonicalize_version(str(package.version or ""))
        files: list[PackageWheel | PackageSdist] = [*(package.wheels or [])]
        files += [package.sdist] if package.sdist else []
        for file in files:
            for algorithm, value in file.hashes.items():
                yield package.name, version, f"{algorithm}:{value}"


def pipfile(text: str) -> Iterator[Fixed]:
    root = json.loads(text)
    for group in ("default", "develop"):
        for name, entry in root[group].items():
            version = canonicalize_version(entry.get("version", "").removeprefix("=="))
            for digest in entry.get("hashes", []):
                yield canonicalize_name(name), version, digest


def cargo(text: str) -> Iterator[Fixed]:
    root = tomllib.loads(text)
    for package in root["package"]:
        beside = [
            value
            for key, value in root.get("metadata", {}).items()
            if key.startswith(f"checksum {package['name']} {package['version']} ")
        ]
        for value in [package["checksum"]] if "checksum" in package else beside:
            yield package["name"], package["version"], f"sha256:{value}"


def gosum(text: str) -> Iterator[Fixed]:
    for name, version, digest in re.findall(r"^(\S+) (v\S+) (h1:\S+)$", text, re.M):
        yield name, version.removesuffix("/go.mod"), digest


def fixed_in(folder: str, path: Path) -> set[Fixed]:
    """Return what a file of the corpus fixes, by the second reading."""
    readings = {
        "npm": npm,
        "yarn-v1": yarn,
        "yarn-berry": berry,
        "pnpm": pnpm,
        "bun": bun,
        "requirements": requirements,
        "poetry": python_toml,
        "pdm": python_toml,
        "uv": python_toml,
        "pylock": pylock,
        "pipfile": pipfile,
        "cargo": cargo,
        "gosum": gosum,
    }
    return set(readings[folder](path.read_bytes().decode()))
