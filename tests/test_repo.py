"""House rules that no other tool checks. Each failure names the file and what to do with it."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "cleanroom"
LINE_LIMIT = 400
PURE = ("lockfile", "policy", "decide", "sandbox", "agent", "api", "gateway/layers")

# A module of these is tested by the suite named, not by a test file of its own name.
TESTED_ELSEWHERE = {
    "backends/base.py": "tests/backends/conformance.py",
    "__main__.py": "tests/cli/test_main.py",
}

# What `cleanroom exec` may never import: each costs more than the whole client (see docs/adr).
SLOW_IMPORTS = frozenset(
    {
        "asyncio",
        "http.client",
        "pydantic",
        "rich",
        "httpx",
        "aiohttp",
        "importlib.metadata",
        "yaml",
        "ruamel",
        "websockets",
        "wsproto",
        "h11",
        "msgspec",
        "lightkube",
        "aiodocker",
        "sqlite3",
        "structlog",
        "prometheus_client",
        "opentelemetry",
        "mcp",
        "dataclasses",
    }
)


def tracked(*suffixes: str) -> list[Path]:
    """Return the files of the repository, as git knows them, that end in one of `suffixes`."""
    git = shutil.which("git")
    assert git
    command = [git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    files = [ROOT / name for name in listing.split("\0") if name]
    return [file for file in files if file.is_file() and (not suffixes or file.suffix in suffixes)]


def modules() -> list[Path]:
    """Return every module of the package that is more than an __init__."""
    return [
        file
        for file in tracked(".py")
        if file.is_relative_to(SOURCE) and file.name != "__init__.py"
    ]


def has_behaviour(module: Path) -> bool:
    """Say whether a module contains a function that does something, or only declares values."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            steps = [step for step in node.body if not isinstance(step, ast.Expr)]
            if steps:
                return True
    return False


def test_no_file_is_longer_than_its_limit() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for file in tracked(".py", ".c", ".h", ".sh")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > LINE_LIMIT
    }
    assert not long, f"split these by what they are about: {long}"


def test_every_module_has_a_test_of_its_name() -> None:
    missing = []
    for module in modules():
        name = str(module.relative_to(SOURCE))
        elsewhere = TESTED_ELSEWHERE.get(name)
        if elsewhere:
            assert (ROOT / elsewhere).exists(), f"{elsewhere} tests {name}, and is gone"
            continue
        folder = ROOT / "tests" / Path(name).parent
        if has_behaviour(module) and not list(folder.glob(f"test_{module.stem}*.py")):
            missing.append(f"tests/{Path(name).parent}/test_{module.stem}.py")
    assert not missing, f"write these: {missing}"


def test_every_module_says_what_it_never_does() -> None:
    silent = [
        str(module.relative_to(ROOT))
        for module in modules()
        if "never" not in (ast.get_docstring(ast.parse(module.read_text())) or "").lower()
    ]
    assert not silent, f"their docstrings lack the 'Never:' of their contract: {silent}"


def test_the_core_touches_no_file() -> None:
    banned_names = {"open", "input", "exec", "eval", "compile", "__import__", "breakpoint"}
    banned_methods = {"read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "is_file"}
    found = []
    for module in modules():
        if not any(module.is_relative_to(SOURCE / package) for package in PURE):
            continue
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            if isinstance(called, ast.Name) and called.id in banned_names:
                found.append(f"{module.relative_to(ROOT)}:{node.lineno} {called.id}()")
            if isinstance(called, ast.Attribute) and called.attr in banned_methods:
                found.append(f"{module.relative_to(ROOT)}:{node.lineno} .{called.attr}()")
    assert not found, f"pure packages take what they need as arguments: {found}"


def test_generated_pages_are_fresh() -> None:
    command = [sys.executable, str(ROOT / "tools" / "write_docs.py"), "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_links_between_pages_lead_somewhere() -> None:
    lost = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in tracked(".md")
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert not lost


def test_exec_imports_nothing_slow() -> None:
    probe = "import sys, cleanroom.cli.main, cleanroom.cli.cmd_exec; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", probe], check=True, capture_output=True, text=True
    )
    loaded = set(done.stdout.split())
    assert "cleanroom.cli.cmd_exec" in loaded
    assert not loaded.intersection(SLOW_IMPORTS)


def registry_hosts() -> set[str]:
    """Return the registries' hosts as this machine's own clients name them."""
    npm = shutil.which("npm")
    assert npm, "npm is needed to learn which host may not be written down"
    configured = subprocess.run(
        [npm, "config", "get", "registry"], check=True, capture_output=True, text=True
    ).stdout
    index = (
        "from pip._internal.models.index import PyPI as index\n"
        "print(index.simple_url, index.file_storage_domain)"
    )
    pip = subprocess.run(
        [sys.executable, "-c", index], check=True, capture_output=True, text=True
    ).stdout.split()
    return {urlsplit(configured.strip()).netloc, urlsplit(pip[0]).netloc, pip[1]}


def test_no_file_names_this_machine_or_a_real_registry() -> None:
    words = {host.encode() for host in registry_hosts()}
    if len(ROOT.parts) > 2:  # "/src" alone could be a word of any text
        words.add(f"{ROOT}/".encode())
    found = [
        f"{file.relative_to(ROOT)}: {word.decode()}"
        for file in tracked()
        for word in words
        if word in file.read_bytes()
    ]
    assert not found, f"write registry.example, or read it at run time: {found}"


def test_the_words_that_may_not_be_written_are_found_when_they_are(tmp_path: Path) -> None:
    hosts = registry_hosts()
    assert len(hosts) == 3
    page = tmp_path / "page"
    page.write_text(f"npm config set registry https://{min(hosts)}/")
    assert min(hosts).encode() in page.read_bytes()


def test_requirements_are_pinned_by_hash_and_name_no_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-build.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        pins = re.split(r"\n(?=\S)", text.strip())
        assert all("==" in pin and "--hash=sha256:" in pin for pin in pins), name


def test_every_requirement_is_in_the_lock_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = project["project"]["dependencies"]
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8").lower()
    for requirement in wanted:
        name = re.split(r"[<>=~! ]", requirement)[0].lower()
        assert f"\n{name}==" in f"\n{locked}", f"run tools/lock: {name} is not pinned"


def test_new_clients_join_the_contract_that_keeps_them_out_of_the_daemon() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [contract] = [
        contract
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["name"].startswith("clients reach the daemon")
    ]
    existing = {path.name for path in SOURCE.iterdir()}
    for client in {"web", "mcp", "integrations", "sdk"} & existing:
        assert f"cleanroom.{client}" in contract["source_modules"]
    for adapter in {"cache"} & existing:
        assert f"cleanroom.{adapter}" in contract["forbidden_modules"]


def test_every_promise_names_a_test_that_exists_or_says_pending() -> None:
    text = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| *[A-Z]?\d+", line)]
    assert len(rows) > 20, "the page has no table of promises"
    missing = []
    for row in rows:
        names = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row)
        if not names:
            assert "pending" in row or "by design" in row, f"neither a test nor pending: {row}"
        for file, function in names:
            path = ROOT / file
            if not path.exists() or (function and f"def {function}(" not in path.read_text()):
                missing.append(f"{file}::{function}")
    assert not missing, f"docs/promises.md names tests that do not exist: {missing}"


ERRORS = ("UserError", "UsageError", "Refused", "Fault", "CleanroomError")


def literal(node: ast.expr, known: dict[str, str]) -> str:
    """Return the words a text begins with; "" where they are computed."""
    match node:
        case ast.Constant(value=str(text)) | ast.JoinedStr(values=[ast.Constant(str(text)), *_]):
            return text
        case ast.Name(id=name):
            return known.get(name, "")
        case _:
            return ""


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=str)
def test_errors_say_what_cannot_be_done(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        known: dict[str, str] = {}
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    known.setdefault(name, literal(value, known))
                case ast.Call(func=ast.Name(id=name), args=[_, message, *_]) if name in ERRORS:
                    said = literal(message, known) or "cannot"
                    assert said.startswith("cannot"), f"line {node.lineno}: {said!r}"


def test_changes_are_fragments_that_towncrier_reads() -> None:
    kinds = "added|changed|fixed|removed|security"
    wrong = [
        file.name
        for file in (ROOT / "changes").iterdir()
        if file.name not in (".gitignore", "README.md")
        and not re.fullmatch(rf"[\w+-]+\.({kinds})\.md", file.name)
    ]
    assert not wrong, f"name them WORD.KIND.md with one of {kinds}: {wrong}"


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "adr").glob("*.md")), ids=lambda p: p.name)
def test_a_decision_record_is_short_and_complete(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    for heading in (
        "## Question",
        "## Options",
        "## Decision",
        "## Consequences",
        "## Revisit when",
    ):
        assert heading in text, f"{page.name} lacks {heading}"


def test_each_decision_record_has_a_number_of_its_own() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    twice = {number for number in numbers if numbers.count(number) > 1}
    assert not twice, f"renumber the later one of {sorted(twice)}"
    for page in pages:
        title = page.read_text(encoding="utf-8").partition("\n")[0]
        assert title.startswith(f"# {int(page.name[:4])}. "), f"{page.name}: {title}"
