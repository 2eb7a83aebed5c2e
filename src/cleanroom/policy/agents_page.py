"""docs/agents.md, made of the recipes.

In: nothing. Out: the page. Never: a recipe that is not tested; tests/escape/test_agents.py reads
the same table.
"""

from collections.abc import Iterator
from typing import Final

from cleanroom.policy.agent_recipes import RECIPES, Credential, Recipe

_HEAD: Final = """\
# Coding agents

Generated from the recipes: `make docs`. `cleanroom agents list` shows them.

```bash
cleanroom exec --agent claude -it -- claude
cleanroom diff
```

`--agent NAME` is your word for this run: nothing of it has to be written in a policy or approved.

- **Hosts**: the vendor's API gets a rule, and nothing else does. What the agent's work needs
  (registries, git) is in `cleanroom.yaml`.
- **Login**: the first that you have of the listed variables, then login files. It stays outside:
  the agent has a placeholder in the variable, and the gateway swaps it in a header, for the one
  host ([secrets.md](secrets.md)). `--secret ID=VARIABLE` names another source, and so does
  `secrets:` in [config.yaml](config.md) where you have none of them. Of an account's login the
  token of the day is used, and your own program outside renews it; your file is never written.
- **Home**: the folder in which the agent keeps sessions and settings is a volume of the workspace,
  `agent-NAME`, used by one sandbox at a time. Another one: `--volume NAME:/AT` with the same
  place. Nothing of your own home is shown.
- **Variables** that keep it from reporting and from updating itself; `-e` overrides.
- **Settings** that it would ask for first: whether it may trust the folder, use the key, report.

A deny rule of the policy that names such a host is a conflict, and nothing starts.

## Its program

It has to be inside; `--agent` fetches nothing. The ways, shortest first:

- Installed for all (`sudo npm install -g PACKAGE`), it is in `/usr` and there.
- Installed in your home (the vendor's installer, nvm, pipx), it is not shown by itself: `exec`
  ends with 127 and says the line for `tools:` of [config.yaml](config.md) that shows its folder.
- Of the repository: a `devDependencies` entry and a lock file, and then
  `cleanroom exec --agent gemini -it -- "npm ci && npx gemini"`. It comes from the registry of the
  policy, and by the lock file's hash.
- `npx -y PACKAGE` fetches what no lock file has, and is refused (`lockfile_violation`): pin it, or
  name it in `exceptions` of the [registry](registries.md), every package of it.

## Beside the model

Tried by hand on 2026-11-27, with Claude Code:

- **A branch of the agent**: with a secret for git in the policy ([git.md](git.md)) and
  `--secret forge=FORGE_TOKEN@HOST` beside `--agent`, it clones, commits and pushes `agent/fix`; its
  push to `main` was refused, and its own tool showed it `push_not_allowed` with the reason.
- **MCP servers** that run as a command run inside, with what a sandbox has: `.mcp.json` of the
  repository is read (`--mcp-config`), and comes out of a sandbox only when it is named. One
  elsewhere is a host that wants a rule, and its token a secret.
- **Web**: its search is done by the vendor, behind the API. A page is fetched from inside, so it
  wants a rule for its host; without one the agent is told that it could not be fetched.

## Another agent

Bind its key in `cleanroom.yaml` ([secrets.md](secrets.md)), with a rule for its host. Logins by
which a program inside mints further tokens do not fit: what an answer brings is inside.

## What was seen

Verified for each recipe, in a real sandbox before a server that shows the vendor's name: the value
arrives in each header below, once, and the sandbox never sees it. Every day the request is made as
the vendor's client libraries make it; at night the vendors' own programs, unchanged, do a task:
told to run a command by their own tool, they make a file, and `cleanroom apply` brings it. On
terminals claude, codex and gemini were tried by hand. The vendors' own servers were not asked.

| Program | Package | Version | Asks for as well, is refused, and does without |
| --- | --- | --- | --- |
"""


def render_markdown() -> str:
    """Return the page."""
    rows = [f"{_row(each)}\n" for each in RECIPES.values()]
    sections = (line for each in RECIPES.values() for line in _section(each))
    return "\n".join([f"{_HEAD}{''.join(rows)}", *sections])


def _row(recipe: Recipe) -> str:
    refused = ", ".join(recipe.refused) or "nothing"
    return f"| {recipe.title} | {recipe.package} | {recipe.version} | {refused} |"


def _section(recipe: Recipe) -> Iterator[str]:
    yield f"## {recipe.title}\n"
    yield f"    cleanroom exec --agent {recipe.name} -- {recipe.command}\n"
    yield "| Secret | Variable inside | Sent in | To | Value outside |"
    yield "| --- | --- | --- | --- | --- |"
    for each in recipe.credentials:
        hosts = ", ".join(each.hosts)
        fields = " or ".join(f"`{name}`" for name in each.fields)
        yield (
            f"| `{each.secret_id}` | `{each.variable}` | {fields} | {hosts} | {_outside(each)} |"
        )
    yield ""
    variables = ", ".join(f"`{name}={value}`" for name, value in recipe.environment)
    yield f"Home: volume `agent-{recipe.name}` at `{recipe.home}`.\n"
    yield f"Variables: {variables}.\n"
    for each in recipe.credentials:
        if each.environment:
            variables = ", ".join(f"`{name}={value}`" for name, value in each.environment)
            yield f"With `{each.secret_id}` also: {variables}.\n"
    rows = [row for each in recipe.credentials for row in _files(each)]
    if rows:
        yield "\n".join(("| File in its home | With | |", "| --- | --- | --- |", *rows, ""))
    for note in recipe.notes:
        yield f"{note}\n"


def _files(credential: Credential) -> Iterator[str]:
    """Yield a row for each file that the agent finds with this login."""
    for file in credential.files:
        has = ", with the placeholder" if f"${{{credential.variable}" in file.text else ""
        for name, pointer in credential.told:
            if name in file.text:
                has += f" and `{name}` (`{pointer}` of yours: no secret, shown inside)"
        yield f"| `{file.path}` | `{credential.secret_id}` | {file.way.value}{has} |"


def _outside(credential: Credential) -> str:
    places = [f"`${name}`" for name in (credential.variable, *credential.outside)]
    if credential.login is not None:
        path, pointer = credential.login
        places.append(f"`~/{path}` at `{pointer}`")
    return ", ".join(places)
