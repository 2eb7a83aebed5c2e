"""What a lock file does not hold, asked for in every way that a client knows: each is refused, and
the client's own output says why, or that it cannot get there. At night, as it takes minutes.

The words are what docs/registries.md says of each client; npm's and pip's are seen by day too.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.escape.registry_internet import (
    Package,
    Project,
    Reply,
    package_lock,
    packument,
    sha256,
    tarball,
    unique,
    wheel,
)
from tests.escape.registry_modules import Crate, Module, go_sum, have_crates, have_modules
from tests.escape.registry_world import CARGO, GO, NPM, PYPI, Registries
from tests.escape.test_registries_cargo import SOURCE
from tests.escape.test_registries_programs import (
    NPM_CLIENTS,
    PRELUDE,
    PYPI_CLIENTS,
    REASONS,
    folders_of,
)

pytestmark = [pytest.mark.escape, pytest.mark.nightly, pytest.mark.timeout(0)]

# By the name of a question: what is asked for, and what is said to that; None: it comes.
Asked = Mapping[str, tuple[str, str | None]]
Said = Mapping[str, tuple[int, str]]

# Each in a folder of its own, one after the other.
EACH: Final = f"""{PRELUDE}
import shutil
result = {{}}
for name, line in LINES.items():
    shutil.rmtree("/tmp/work")
    os.makedirs("/tmp/work")
    for file, text in FILES.items():
        open("/tmp/work/" + file, "w").write(text)
    result[name] = run(line)
"""
LOCKED: Final = "lockfile_violation: "

# PAD 1.3.0 is locked, its newest version is not; OTHER is not locked, LOOSE has no integrity,
# TAMPER has other bytes than its pin.
NPM_ASKED: Final[Asked] = {
    "what is locked": ("PAD@1.3.0", None),
    "an unlocked package": ("OTHER@1.0.0", f"{LOCKED}OTHER 1.0.0 is not in package-lock.json"),
    "an unlocked version": ("PAD@1.3.1", f"{LOCKED}PAD 1.3.1 is not in package-lock.json, which"),
    "a dist-tag": ("PAD@latest", f"{LOCKED}PAD 1.3.1 is not in package-lock.json, which"),
    "other bytes": ("TAMPER@1.0.0", "integrity_mismatch: TAMPER 1.0.0 is not what it must be: npm"),
    "no integrity": ("LOOSE@1.0.0", f"{LOCKED}LOOSE 1.0.0 is not pinned by package-lock.json: the"),
    "an alias": ("mine@npm:OTHER@1.0.0", f"{LOCKED}OTHER 1.0.0 is not in package-lock.json"),
    "a tarball of it": (
        "PAD@https://npm.test/x/ball.tgz",
        f"{LOCKED}x is not in package-lock.json",
    ),
    "a tarball elsewhere": ("PAD@https://evil.test/PAD-1.3.0.tgz", "evil.test"),
    "a repository": ("PAD@git+https://evil.test/PAD.git", "evil.test"),
    "one by ssh": ("PAD@git+ssh://git@evil.test/PAD.git", "evil.test"),
}
NPM_LINES: Final = {
    "npm": "npm --no-fund --registry https://npm.test/ install SPEC",
    **NPM_CLIENTS,
    # it would wait a minute for a host that is not there
    "pnpm": f"npm_config_fetch_retries=0 {NPM_CLIENTS['pnpm']}",
}
PYPI_ASKED: Final[Asked] = {
    "what is locked": ("PAD==1.0", None),
    "an unlocked package": ("OTHER==1.0", f"{LOCKED}OTHER 1.0 is not in requirements.txt"),
    "an unlocked version": ("PAD==2.0", f"{LOCKED}PAD 2.0 is not in requirements.txt"),
    "the newest version": ("PAD>=1", f"{LOCKED}PAD 2.0 is not in requirements.txt"),
    "other bytes": ("TAMPER==1.0", "integrity_mismatch: TAMPER 1.0 is not what it must be: files"),
    "no hash": ("LOOSE==1.0", f"{LOCKED}LOOSE 1.0 is not pinned by requirements.txt: the lock"),
    "a file of another": ("OTHER @ https://files.testFILE", f"{LOCKED}OTHER 1.0 is not in requ"),
    "a file elsewhere": ("PAD @ https://evil.test/PADFILE", "evil.test"),
    "a repository": ("PAD @ git+https://evil.test/PAD.git", "evil.test"),
    "one by ssh": ("PAD @ git+ssh://git@evil.test/PAD.git", "evil.test"),
}
PYPI_LINES: Final = {
    "pip": "python3 -m pip install --no-cache-dir --target to "
    "--index-url https://index.test/simple NAME",
    **{name: line for name, line in PYPI_CLIENTS.items() if "NAME" in line},
}
CARGO_ASKED: Final[Asked] = {
    "what is locked": ('PAD = "=1.0.0"', None),
    "an unlocked crate": ('OTHER = "1"', f"{LOCKED}OTHER 1.0.0 is not in Cargo.lock"),
    "an unlocked version": ('PAD = "=1.0.1"', f"{LOCKED}PAD 1.0.1 is not in Cargo.lock"),
    "the newest version": ('PAD = "1"', f"{LOCKED}PAD 1.0.1 is not in Cargo.lock"),
    "other bytes": ('TAMPER = "1"', "integrity_mismatch: TAMPER 1.0.0 is not what it must be"),
    "no checksum": ('LOOSE = "1"', f"{LOCKED}LOOSE 1.0.0 is not pinned by Cargo.lock"),
    "an alias": ('mine = { package = "OTHER", version = "1" }', f"{LOCKED}OTHER 1.0.0 is not in"),
    "a repository": ('PAD = { git = "https://evil.test/PAD.git" }', "evil.test"),
    "one by ssh": ('PAD = { git = "ssh://git@evil.test/PAD.git" }', "evil.test"),
}
GO_ASKED: Final[Asked] = {
    "what is locked": ("go mod download PAD@v1.0.0", None),
    "an unlocked module": ("go get OTHER@v1.0.0", f"{LOCKED}OTHER v1.0.0 is not in go.sum"),
    "an unlocked version": ("go get PAD@v1.1.0", f"{LOCKED}PAD v1.1.0 is not in go.sum"),
    "the newest version": ("go get PAD@latest", f"{LOCKED}PAD v1.1.0 is not in go.sum"),
    "other bytes": ("go get TAMPER@v1.0.0", "integrity_mismatch: TAMPER v1.0.0 is not what it"),
    "no digest of its files": (
        "go get LOOSE@v1.0.0",
        f"{LOCKED}LOOSE v1.0.0 is in go.sum, but not",
    ),
    "an alias": (
        "go mod edit -require=PAD@v1.0.0 -replace=PAD=OTHER@v1.0.0 && go mod download PAD",
        f"{LOCKED}OTHER v1.0.0 is not in go.sum",
    ),
    "a repository": ("GOPROXY=direct go get evil.test/PAD@v1.0.0", "evil.test"),
}


def filled(text: str, names: Mapping[str, str]) -> str:
    """Return a text with names of this test alone."""
    for word, name in names.items():
        text = text.replace(word, name)
    return text


def program(lines: Mapping[str, str], files: Mapping[str, str], names: Mapping[str, str]) -> str:
    """Return what asks all of it in a sandbox."""
    asked = {name: filled(line, names) for name, line in lines.items()}
    return f"LINES, FILES = {asked!r}, {dict(files)!r}\n{EACH}"


def judge(said: Said, asked: Asked, names: Mapping[str, str], client: str = "") -> None:
    """Each is refused, and the client shows as much of the reason as it shows of any."""
    begin = REASONS.get(client, LOCKED)
    for name, (_, wanted) in asked.items():
        status, words = said[name]
        assert (status == 0) is (wanted is None), (name, words)
        code, colon, sentence = filled(wanted or "", names).partition(": ")
        if colon and not begin:
            assert "403" in words, (name, words)
        elif colon:
            shown = begin.replace(LOCKED[:-2], code) + sentence
            assert shown in " ".join(words.split()), (name, words)
        else:
            assert code in words, (name, words)


@pytest.mark.parametrize("client", NPM_LINES)
def test_what_a_client_of_npm_may_not_have(outside: Registries, client: str) -> None:
    pad = Package(unique("pad"))
    others = {word: Package(unique("part"), "1.0.0") for word in ("OTHER", "LOOSE", "TAMPER")}
    pages = {pad: {"1.3.0": pad.data, "1.3.1": tarball(pad.name, "1.3.1")}}
    pages |= {each: {"1.0.0": each.data} for each in others.values()}
    for each, versions in pages.items():
        page = json.loads(packument(each.name, versions))
        page["time"] = dict.fromkeys(versions, "2020-01-01T00:00:00Z")
        body = json.dumps(page).encode()
        outside.script.answers(f"npm.test/{each.name}", Reply(body, kind="application/json"))
        tampered = each is others["TAMPER"]
        outside.script.answers(each.place, Reply(each.tampered if tampered else each.data))
    entries = {each.name: each.entry for each in pages if each is not others["OTHER"]}
    del entries[others["LOOSE"].name]["integrity"]
    names = {"PAD": pad.name, **{word: each.name for word, each in others.items()}}
    line = NPM_LINES[client]
    lines = {name: line.replace("SPEC", f"'{spec}'") for name, (spec, _) in NPM_ASKED.items()}
    files = {"package.json": json.dumps({"name": "work", "version": "1.0.0"})}
    said = outside.run(
        NPM, program(lines, files, names), package_lock(entries), None, folders_of(line)
    )
    asked = dict(NPM_ASKED)
    if client == "yarn 4":  # it asks nobody for a repository that its settings do not name
        asked |= {name: (asked[name][0], "approvedGitRepositories") for name in list(asked)[-2:]}
    judge(said.result, asked, names, client)
    assert {each.host for each in outside.script.asked} == {"npm.test"}
    assert {outside.script.count(others[word].place) for word in ("OTHER", "LOOSE")} == {0}


@pytest.mark.parametrize("client", PYPI_LINES)
def test_what_a_client_of_an_index_may_not_have(outside: Registries, client: str) -> None:
    every = {word: Project(unique("part_")) for word in ("PAD", "OTHER", "LOOSE", "TAMPER")}
    for word, each in every.items():
        newer = each.file.replace("-1.0-", "-2.0-")
        page = f'<a href="https://files.test{newer}">{newer.rpartition("/")[2]}</a><br>'
        body = each.page.body + (page.encode() if word == "PAD" else b"")
        outside.script.answers(f"index.test/simple/{each.name}/", Reply(body, kind="text/html"))
        data = each.wheel if word != "TAMPER" else each.wheel[:-1] + b"\1"
        outside.script.answers(f"files.test{each.file}", Reply(data))
        outside.script.answers(f"files.test{newer}", Reply(wheel(each.module, "2.0")))
    lock = "".join(every[word].lock for word in ("PAD", "TAMPER")) + f"{every['LOOSE'].name}==1.0\n"
    names = {word: each.name for word, each in every.items()}
    names["PADFILE"], names["FILE"] = every["PAD"].file, every["OTHER"].file
    line = PYPI_LINES[client]
    quote = "" if "pyproject.toml" in line else "'"
    lines = {
        name: line.replace("NAME", f"{quote}{spec}{quote}").replace("PADFILE", every["PAD"].file)
        for name, (spec, _) in PYPI_ASKED.items()
    }
    said = outside.run(PYPI, program(lines, {}, names), lock, None, folders_of(line))
    asked = dict(PYPI_ASKED)
    if client == "pdm":  # it does not say which host it cannot find
        asked["a file elsewhere"] = (asked["a file elsewhere"][0], "Name or service not known")
    judge(said.result, asked, names, client)
    assert {each.host for each in outside.script.asked} == {"index.test", "files.test"}
    assert outside.script.count(f"files.test{every['OTHER'].file}") == 0


def test_what_cargo_may_not_have(outside: Registries) -> None:
    if not Path("/usr/bin/cargo").exists():
        pytest.skip("this machine lacks cargo")
    every = {word: Crate(unique("part_")) for word in ("PAD", "OTHER", "LOOSE", "TAMPER")}
    for word, each in every.items():
        newer = {"1.0.1": each.newer} if word == "PAD" else {}
        have_crates(outside.script, each.name, {"1.0.0": each.good, **newer})
    tampered = every["TAMPER"]
    outside.script.answers(f"files.test{tampered.path}", Reply(tampered.evil))
    lock = every["PAD"].lock
    for word in ("TAMPER", "LOOSE"):
        lock += f"\n{every[word].lock.split(chr(10) * 2)[1]}\n"
    lock = lock.replace(f'checksum = "{sha256(every["LOOSE"].good)}"\n', "")
    manifest = '[package]\nname = "work"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n'
    lines = {
        name: "mkdir src .cargo && touch src/lib.rs && mv source.toml .cargo/config.toml &&"
        f" echo '{spec}' >> Cargo.toml && /usr/bin/cargo fetch"
        for name, (spec, _) in CARGO_ASKED.items()
    }
    files = {"Cargo.toml": manifest, "source.toml": SOURCE}
    names = {word: each.name for word, each in every.items()}
    said = outside.run(CARGO, program(lines, files, names), lock)
    judge(said.result, CARGO_ASKED, names)
    assert {each.host for each in outside.script.asked} == {"index.test", "files.test"}
    assert {outside.script.count(f"files.test{every[w].path}") for w in ("OTHER", "LOOSE")} == {0}


def test_what_go_may_not_have(outside: Registries) -> None:
    if not Path("/usr/bin/go").exists():
        pytest.skip("this machine lacks go")
    every = {
        word: Module(f"mods.example/{unique('part')}")
        for word in ("PAD", "OTHER", "LOOSE", "TAMPER")
    }
    for word, each in every.items():
        newer = {"v1.1.0": each.newer} if word == "PAD" else {}
        have_modules(outside.script, each.name, {"v1.0.0": each.good, **newer})
    tampered = every["TAMPER"]
    outside.script.answers(f"mirror.test{tampered.zip}", Reply(tampered.evil))
    lock = every["PAD"].sum + tampered.sum
    lock += go_sum(every["LOOSE"].name, "v1.0.0", every["LOOSE"].good).splitlines()[1] + "\n"
    prelude = "export GOPROXY=https://mirror.test GOFLAGS=-mod=mod GOTOOLCHAIN=local GONOSUMDB=*; "
    lines = {name: f"{prelude}{line}" for name, (line, _) in GO_ASKED.items()}
    files = {"go.mod": "module work.example/work\n\ngo 1.20\n", "go.sum": lock}
    names = {word: each.name for word, each in every.items()}
    said = outside.run(GO, program(lines, files, names), lock)
    judge(said.result, GO_ASKED, names)
    assert {each.host for each in outside.script.asked} == {"mirror.test"}
    assert {outside.script.count(f"mirror.test{every[w].zip}") for w in ("OTHER", "LOOSE")} == {0}
