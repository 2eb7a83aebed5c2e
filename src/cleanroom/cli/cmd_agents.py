"""`cleanroom agents`: the recipes of coding agents that `exec --agent` knows.

In: nothing but flags. Out: a table, or JSON. Never: a value; a question to the daemon.
"""

import os

from cleanroom.cli.group import Sub, run_group
from cleanroom.cli.parser import Options, Parser
from cleanroom.cli.shell import Shell
from cleanroom.policy.agent_recipes import RECIPES, Credential, Recipe


def list_parser() -> Parser:
    """Return the parser of `agents list`."""
    text = "List the coding agents that `exec --agent` has recipes for."
    parser = Parser("agents list", text, "cleanroom agents list")
    parser.switch("--json", "JSON on stdout")
    return parser


def list_all(options: Options, shell: Shell) -> int:
    """Show one row an agent."""
    if options.json:
        shell.screen.json({"agents": [_fields(recipe) for recipe in RECIPES.values()]})
        return 0
    rows = [
        (
            recipe.name,
            _hosts(recipe),
            ", ".join(f"${each.variable}" for each in recipe.credentials),
            recipe.command,
        )
        for recipe in RECIPES.values()
    ]
    shell.screen.table(("NAME", "HOSTS", "LOGIN", "COMMAND"), rows)
    return 0


def _hosts(recipe: Recipe) -> str:
    return ", ".join(dict.fromkeys(host for each in recipe.credentials for host in each.hosts))


def _fields(recipe: Recipe) -> dict[str, object]:
    return {
        "name": recipe.name,
        "title": recipe.title,
        "command": recipe.command,
        "credentials": [_credential(each) for each in recipe.credentials],
        "environment": dict(recipe.environment),
        "volume": {"name": f"agent-{recipe.name}", "at": recipe.home},
        "package": recipe.package,
        "version": recipe.version,
        "refused": list(recipe.refused),
        "notes": list(recipe.notes),
    }


def _credential(credential: Credential) -> dict[str, object]:
    login = credential.login
    return {
        "secret": credential.secret_id,
        "variable": credential.variable,
        "outside": [credential.variable, *credential.outside],
        "headers": list(credential.fields),
        "hosts": list(credential.hosts),
        "login_file": os.path.join("~", login[0]) if login else None,  # noqa: PTH118 -- for people
        "login_pointer": login[1] if login else None,
        "environment": dict(credential.environment),
        "told": dict(credential.told),
        "files": [each.path for each in credential.files],
    }


SUBS = {"list": Sub(list_parser, list_all)}


def parsers() -> tuple[Parser, ...]:
    """Return the parsers of all subcommands."""
    return tuple(sub.parser() for sub in SUBS.values())


def run(words: list[str], shell: Shell) -> int:
    """Run one of them."""
    return run_group("agents", SUBS, words, shell)
