"""The program that asks for everything, without a sandbox: the registries are a table."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError

import pytest

from cleanroom.cli import warm, warm_inside
from cleanroom.cli.warm_inside import (
    links,
    one_fits,
    plain_version,
    python_fits,
    system_fits,
    version_of,
    wheel_fits,
)

MINOR = sys.version_info[1]
SYSTEM = f"{warm_inside.LINUX}_2_17_{warm_inside.MACHINE}"
JSON = "application/vnd.pypi.simple.v1+json"


class Answer(io.BytesIO):
    """What urlopen returns."""

    def __enter__(self) -> Self:
        return self


class World:
    """Registries as a table: address -> bytes, a document, or a refusal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.pages: dict[str, Any] = {}
        self.asked: list[tuple[str, str]] = []
        self.bodies: list[tuple[bytes, str]] = []
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.setattr(warm_inside, "ask", self._ask)

    def _ask(self, url: str, accept: str, body: bytes | None = None, **fields: str) -> Answer:
        self.asked.append((url, accept))
        if body is not None:
            self.bodies.append((body, fields.get("Git_Protocol", "")))
        found = self.pages.get(url)
        if found is None:
            raise HTTPError(url, 403, "lockfile_violation: no", None, None)  # type: ignore[arg-type]
        if isinstance(found, OSError):
            raise found
        if isinstance(found, list):  # one answer after the other
            return Answer(found.pop(0))
        return Answer(found if isinstance(found, bytes) else json.dumps(found).encode())

    def warm(self, *registries: dict[str, Any], every: bool = False) -> list[dict[str, Any]]:
        """Return all lines that are said."""
        text = json.dumps({"registries": registries, "every": every})
        self._monkeypatch.setattr("sys.stdin", io.StringIO(text))
        warm_inside.main()
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> World:
    """Registries that have nothing yet."""
    return World(monkeypatch, capsys)


def pin(name: str, version: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"name": name, "version": version, "file": "", "url": "", "digests": [], **more}


def npm(*pins: dict[str, Any]) -> dict[str, Any]:
    return {"manager": "npm", "hosts": ["r.test"], "artifacts": list(pins)}


def pypi(*pins: dict[str, Any]) -> dict[str, Any]:
    return {"manager": "pypi", "hosts": ["files.test", "index.test"], "artifacts": list(pins)}


def fetched(said: list[dict[str, Any]]) -> list[str]:
    return sorted(each["fetched"] for each in said if "fetched" in each)


def test_pages_and_pinned_versions_of_npm_are_fetched(world: World) -> None:
    url = "https://r.test/@a/b/-/b-1.0.0.tgz"
    versions = {"1.0.0": {"dist": {"tarball": url}}, "2.0.0": {"dist": {"tarball": "no"}}}
    world.pages["https://r.test/@a%2fb"] = {"versions": versions}
    world.pages[url] = b"data"
    said = world.warm(npm(pin("@a/b", "1.0.0"), pin("@a/b", "3.0.0")))
    assert said[0] == {"packages": 1}
    assert {"fetched": "@a/b 1.0.0", "bytes": 4} in said
    assert said[-2:] == [{"through": "@a/b"}, {"done": True}]
    assert world.asked[0][1] == warm_inside.NPM_ACCEPT
    assert [asked for asked, _ in world.asked] == ["https://r.test/@a%2fb", url]


def test_what_is_for_another_system_is_left_out_unless_every_file_is_wanted(world: World) -> None:
    about = {"os": ["win32"], "dist": {"tarball": "https://r.test/a.tgz"}}
    world.pages["https://r.test/a"] = {"versions": {"1.0.0": about}}
    world.pages["https://r.test/a.tgz"] = b"data"
    assert fetched(world.warm(npm(pin("a", "1.0.0")))) == []
    assert fetched(world.warm(npm(pin("a", "1.0.0")), every=True)) == ["a 1.0.0"]


def test_a_refusal_is_said_with_the_gateways_words(world: World) -> None:
    world.pages["https://r.test/b"] = OSError("cut")
    said = world.warm(npm(pin("a", "1.0.0", url="https://r.test/a.tgz"), pin("b", "1")))
    failures = [each for each in said if "failed" in each]
    assert sorted(failures, key=lambda each: str(each["failed"])) == [
        {"failed": "a", "why": "lockfile_violation: no"},
        {"failed": "a 1.0.0", "why": "lockfile_violation: no"},
        {"failed": "b", "why": "cut"},
    ]


def test_a_page_that_is_odd_stops_only_its_package(world: World) -> None:
    world.pages["https://r.test/a"] = {"versions": ["x"]}
    world.pages["https://r.test/b"] = b"{"
    world.pages["https://r.test/c"] = {
        "versions": {"1": {"dist": {"tarball": "https://r.test/c1"}}}
    }
    world.pages["https://r.test/c1"] = b""
    said = world.warm(npm(pin("a", "1"), pin("b", "1"), pin("c", "1")))
    assert {each["failed"] for each in said if "failed" in each} == {"a", "b"}
    assert fetched(said) == ["c 1"]


def project(*names: str) -> dict[str, Any]:
    """Return an index's page."""
    return {
        "files": [
            {"filename": name, "url": f"../{name}", "hashes": {"sha256": name}} for name in names
        ]
    }


WHEEL = f"foo-1.0-cp3{MINOR}-abi-{SYSTEM}.whl"
OTHER = "foo-1.0-cp39-cp39-win32.whl"
SOURCE = "foo-1.0.tar.gz"


def test_of_pypi_the_files_for_this_system_are_fetched_with_their_side_files(world: World) -> None:
    found = project(WHEEL, OTHER, SOURCE)
    found["files"][0]["core-metadata"] = {"sha256": "x"}
    world.pages["https://index.test/simple/foo/"] = found
    base = "https://index.test/simple"
    for name in (WHEEL, f"{WHEEL}.metadata", OTHER, SOURCE):
        world.pages[f"{base}/{name}"] = b"data"
    digests = [f"sha256:{name}" for name in (WHEEL, OTHER, SOURCE)]
    assert fetched(world.warm(pypi(pin("foo", "1", digests=digests)))) == [
        WHEEL,
        f"{WHEEL}.metadata",
    ]
    every = world.warm(pypi(pin("foo", "1", digests=digests)), every=True)
    assert fetched(every) == sorted([WHEEL, f"{WHEEL}.metadata", OTHER, SOURCE])
    assert fetched(world.warm(pypi(pin("foo", "1", digests=digests[1:])))) == [SOURCE]
    assert fetched(world.warm(pypi(pin("foo", "1", file=WHEEL)))) == [WHEEL, f"{WHEEL}.metadata"]
    assert fetched(world.warm(pypi(pin("foo", "1")))) == [WHEEL, f"{WHEEL}.metadata"]
    assert fetched(world.warm(pypi(pin("foo", "2")))) == []


def test_an_index_that_has_only_html_is_read_too(world: World) -> None:
    link = f'<a href="../x/{SOURCE}#sha256=ab" data-core-metadata="y">{SOURCE}</a>'
    assert list(links(link)) == [
        {
            "filename": SOURCE,
            "url": f"../x/{SOURCE}",
            "hashes": {"sha256": "ab"},
            "core-metadata": True,
        }
    ]
    page = f'<a class="x">no</a><a href="/{SOURCE}">{SOURCE}</a>'
    world.pages["https://index.test/simple/foo/"] = page.encode()
    world.pages[f"https://index.test/{SOURCE}"] = b"data"
    assert fetched(world.warm(pypi(pin("foo", "1")))) == [SOURCE]


def cargo(*pins: dict[str, Any]) -> dict[str, Any]:
    return {"manager": "cargo", "hosts": ["static.test", "index.test"], "artifacts": list(pins)}


@pytest.mark.parametrize(
    ("download", "url"),
    [
        ("https://static.test/crates", "https://static.test/crates/Serde/1.0.0/download"),
        (
            "https://static.test/{prefix}/{lowerprefix}/{crate}/{crate}-{version}.crate",
            "https://static.test/Se/rd/se/rd/Serde/Serde-1.0.0.crate",
        ),
        ("https://static.test/{sha256-checksum}", "https://static.test/abcd"),
    ],
)
def test_crates_are_where_the_index_says(world: World, download: str, url: str) -> None:
    world.pages["https://index.test/config.json"] = {"dl": download}
    for name in ("1/a", "2/ab", "3/a/abc", "se/rd/serde"):
        world.pages[f"https://index.test/{name}"] = b"{}\n{}\n"
    world.pages[url] = b"data"
    said = world.warm(cargo(pin("Serde", "1.0.0", digests=["sha256:abcd"])))
    assert fetched(said) == ["Serde (index)", "Serde 1.0.0"]
    pins = [pin(name, "1.0.0") for name in ("a", "ab", "abc")]
    assert [each for each in fetched(world.warm(cargo(*pins))) if "index" in each] == [
        "a (index)", "ab (index)", "abc (index)",
    ]  # fmt: skip
    configs = [asked for asked, _ in world.asked if asked == "https://index.test/config.json"]
    assert len(configs) == 2, "once in each run"


def test_a_registry_without_a_config_is_named_once(world: World) -> None:
    said = world.warm(cargo(pin("a", "1.0.0"), pin("b", "1.0.0")))
    assert [each["failed"] for each in said if "failed" in each] == ["config.json"]


def test_modules_are_fetched_from_the_first_host_that_has_them(world: World) -> None:
    hosts = ["sum.test", "proxy.test"]
    base = "https://proxy.test/h.example/!a/@v/v1.0.0-!r!c"
    for kind in ("info", "mod", "zip"):
        world.pages[f"{base}.{kind}"] = b"data"
    name = "h.example/A"
    pins = [pin(name, "v1.0.0-RC", file="zip"), pin(name, "v1.0.0-RC", file="go.mod")]
    said = world.warm({"manager": "go", "hosts": hosts, "artifacts": pins})
    assert fetched(said) == [f"{name} v1.0.0-RC ({kind})" for kind in ("info", "mod", "zip")]
    tool = {"manager": "go", "hosts": hosts, "artifacts": [pin(name, "v1.0.0-RC")]}
    assert len(fetched(world.warm(tool))) == 3
    del world.pages[f"{base}.zip"]
    said = world.warm({"manager": "go", "hosts": hosts, "artifacts": pins[:1]})
    failed = {"failed": f"{name} v1.0.0-RC (zip)", "why": "lockfile_violation: no"}
    assert failed in said


def test_systems_and_pythons_are_told_apart() -> None:
    assert one_fits([], "linux")
    assert one_fits(["!win32"], "linux")
    assert one_fits(["any"], "linux")
    assert one_fits("linux", "linux")
    assert not one_fits(["!linux"], "linux")
    assert not one_fits(["darwin"], "linux")
    assert system_fits("any")
    assert system_fits(SYSTEM)
    assert not system_fits("win32")
    assert not system_fits(f"{warm_inside.LINUX}_2_17_other")
    assert python_fits("py3", "none")
    assert python_fits(f"cp3{MINOR}", "x")
    assert python_fits("cp36", "abi3")
    assert python_fits("py36", "none")
    assert not python_fits("cp36", "cp36")
    assert not python_fits(f"cp3{MINOR + 1}", "abi3")
    assert not python_fits("pp310", "x")
    assert wheel_fits("foo-1.0-py2.py3-none-any.whl")
    assert not wheel_fits("foo.whl")
    assert not wheel_fits("foo-1.0.tar.gz")
    assert version_of("foo-1.0-py3-none-any.whl") == version_of("foo-1.0.tar.gz") == "1.0"
    assert version_of("foo.whl") == ""
    assert plain_version("1.0.0RC1") == "1.0.0rc1"
    assert plain_version("1.0.0") == "1"


def test_the_command_knows_the_same_managers() -> None:
    assert set(warm._MANAGERS) == set(warm_inside.MANAGERS)


def test_it_runs_alone_with_an_isolated_interpreter() -> None:
    program = Path(warm_inside.__file__).read_text("utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        input=json.dumps({"registries": [], "every": False}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"packages": 0},
        {"done": True},
    ]


X, Y = "a" * 40, "b" * 40
TALK = "https://g.test/team/lib.git/git-upload-pack"
FIRST = "https://g.test/team/lib.git/info/refs?service=git-upload-pack"
LISTED = f"0032{X} HEAD\n003d{Y} refs/heads/main\n003d{X} refs/heads/other\n0000".encode()


def lib(*urls: str) -> dict[str, Any]:
    pins = [pin("g.test/team/lib", X, url=url) for url in urls or ("https://g.test/team/lib.git",)]
    return {"manager": "git", "hosts": ["g.test"], "artifacts": pins}


def test_commits_of_git_are_fetched_together_and_each_by_itself(world: World) -> None:
    world.pages |= {FIRST: b"000eversion 2\n0000", TALK: [LISTED, *[b"pack"] * 9]}
    said = world.warm(lib())
    labels = [f"g.test/team/lib{each}" for each in ("", f" {'a' * 12}", f" {'b' * 12}")]
    ways = ("", " (depth 1)", " (version 0)")
    assert fetched(said) == sorted(f"{label}{way}" for label in labels for way in ways)
    assert [asked for asked, _ in world.asked[:2]] == [FIRST, FIRST]
    assert [protocol for _, protocol in world.bodies[:4]] == ["version=2"] * 3 + [""]
    assert world.bodies[0][0].startswith(b"0014command=ls-refs\n0001")
    assert said[-2:] == [{"through": "g.test/team/lib"}, {"done": True}]


def test_of_one_commit_there_is_one_question_in_three_forms(world: World) -> None:
    new = "c" * 64
    listed = f"004a{new} HEAD\n0000".encode()
    world.pages |= {FIRST: b"0019object-format=sha256\n", TALK: [listed, *[b"pack"] * 3]}
    assert len(fetched(world.warm(lib()))) == 3
    assert all(b"object-format=sha256" in body for body, _ in world.bodies)


def test_what_a_git_host_refuses_is_named(world: World) -> None:
    gone = b"0030ERR upload-pack: not our ref aaaaaaaaaaaaaaa\n"
    one = f"0032{X} HEAD\n0000".encode()
    world.pages |= {FIRST: b"000eversion 2\n0000", TALK: [one, gone, b"pack", b"pack"]}
    said = world.warm(lib())
    why = "upload-pack: not our ref aaaaaaaaaaaaaaa"
    assert {"failed": "g.test/team/lib aaaaaaaaaaaa", "why": why} in said
    world.pages[TALK] = [b"0000"]
    none = {"failed": "g.test/team/lib", "why": "its host shows no branch of it"}
    assert none in world.warm(lib())
    del world.pages[FIRST]
    refused = {"failed": "g.test/team/lib", "why": "lockfile_violation: no"}
    assert refused in world.warm(lib())
