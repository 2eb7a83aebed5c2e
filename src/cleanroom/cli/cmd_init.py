"""`cleanroom init`: a first cleanroom.yaml that allows what this repository's tools need.

In: the workspace, the user's configuration, the package managers' own words. Out: the file. Never:
a file written over without --force, or a host that no fact names.
"""

import argparse
from pathlib import Path

from cleanroom.cli.approval import next_step
from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.policy_file import write_policy
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.ask import (
    cargo_index,
    crate_sites,
    file_sites,
    go_proxies,
    npm_registry,
    pip_defaults,
    yarn_registry,
)
from cleanroom.client.calls import Call
from cleanroom.client.facts import registries
from cleanroom.client.init_cargo import cargo_configured
from cleanroom.client.init_facts import (
    configured_sites,
    git_remotes,
    lockfiles,
    managers,
    scoped_sites,
    site_of,
)
from cleanroom.client.init_git import repositories
from cleanroom.client.workspace import POLICY_PATHS
from cleanroom.errors import Code, Refused

NODE = ("npm", "yarn", "pnpm", "bun")
PYTHON = ("pip", "uv", "poetry", "pdm", "pipenv")


def init_parser() -> Parser:
    """Return the parser of `init`."""
    parser = Parser("init", "Write a first cleanroom.yaml.", "cleanroom init --print")
    parser.value("-C", "DIR", "the folder whose repository is meant")
    parser.switch("--force", "replace the policy that is there")
    parser.switch("--print", "print it, write nothing")
    parser.switch("--offline", "do not ask package indexes where their files are")
    parser.switch("--json", "one JSON object on stdout")
    add_daemon_flags(parser)
    return parser


def init(options: argparse.Namespace, shell: Shell) -> int:
    """Collect facts, ask the daemon for the text, write it."""
    workspace = shell.workspace(options.C)
    if workspace.policy.path and not options.force and not options.print:
        message = f"cannot write {POLICY_PATHS[0]}: {workspace.policy.path} is there already"
        raise Refused(
            Code.CONFLICT, message, "cleanroom policy validate, or cleanroom init --force"
        )
    facts = init_request(Path(workspace.root), shell, offline=options.offline)
    with shell.connect(options) as connection:
        made = connection.call(Call("init_policy", body=facts))
        path = None if options.print else write_policy(workspace, made.text("text"))
        step = next_step(connection, options, shell) if path and not options.json else ""
    if options.json:
        shell.screen.json({**made.fields, "path": str(path) if path else None})
        return 0
    for note in made.texts("notes"):
        shell.screen.say(f"note: {note}")
    if path is None:
        shell.screen.raw(made.text("text"))
    else:
        shell.screen.out(f"wrote {path}")
        shell.screen.say(f"next: {step}")
    return 0


def init_request(root: Path, shell: Shell, *, offline: bool) -> dict[str, object]:
    """Return PolicyInitRequest (api/policy_types.py)."""
    found = managers(root)
    configured = configured_sites(root, shell.environ, shell.home)
    defaults: dict[str, list[str]] = {}
    if set(found) & set(NODE) and "npm" not in configured:
        defaults["npm"] = _sites([npm_registry(shell.environ)])
    if "yarn" in found and "yarn" not in configured:
        defaults["yarn"] = _sites([yarn_registry(shell.environ)])
    if set(found) & set(PYTHON):
        said = registries(shell.environ, shell.home)
        named = said.get("pip", "")
        (configured if named else defaults)["pip"] = _pip_sites(named, shell, offline=offline)
        if "uv" in set(found) & set(configured):
            configured["uv"] = _pip_sites(said["uv"], shell, offline=offline)
    if "cargo" in found:
        index = cargo_configured(root, shell.environ, shell.home)
        (configured if index else defaults)["cargo"] = _cargo_sites(index, shell, offline=offline)
    if "go" in found and "go" not in configured:
        defaults["go"] = _sites(go_proxies(shell.environ))
    scoped = scoped_sites(root, shell.environ, shell.home)
    for sites in (configured, defaults):
        sites.update({each: [*sites[each], *scoped] for each in ("npm", "yarn") if each in sites})
    return {
        "project": root.name[:128],
        "lockfiles": lockfiles(root),
        "repositories": repositories(root),
        "configured": configured,
        "defaults": defaults,
        "git_remotes": git_remotes(root),
        "managers": found,
    }


def _pip_sites(named: str, shell: Shell, *, offline: bool) -> list[str]:
    """Return the site of the index, and those it serves files from."""
    index, files = (named, "") if named else pip_defaults(shell.environ)
    answered = [] if offline or not index else file_sites(index)
    sites = [site_of(index), *(answered or [files])]
    return [site for site in dict.fromkeys(sites) if site]


def _cargo_sites(named: str, shell: Shell, *, offline: bool) -> list[str]:
    """Return the site of the sparse index, and the one that it serves crates from."""
    index = named or cargo_index(shell.environ)
    answered = [] if offline or not index else crate_sites(index)
    if index and not answered:
        why = "was not asked" if offline else "cannot be read"
        shell.screen.say(
            f"note: {index.rstrip('/')}/config.json {why}:"
            " add the host of its `dl` to registries.cargo.allowed_hosts"
        )
    return list(dict.fromkeys([*_sites([index]), *answered]))


def _sites(urls: list[str]) -> list[str]:
    return [site for site in dict.fromkeys(map(site_of, urls)) if site]


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `init`."""
    return (init_parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Run it."""
    return run_one(Sub(init_parser, init), words, shell)
