"""`exec --agent`: a recipe (policy/agents.py) turned into flags that a person could write.

In: the flag, the caller's variables and home, other flags. Out: which credential, where its value
is, variables, a volume. Never: a value; a file of the person's shown inside.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple, cast

from cleanroom.cli.parser import Options
from cleanroom.cli.shell import Shell
from cleanroom.client.sources import Source, given_secrets
from cleanroom.client.values import leads_somewhere, text_at
from cleanroom.policy.agent_recipes import Credential, Recipe
from cleanroom.policy.agents import recipe_named, word_of

_Words = tuple[str, tuple[str, ...]]  # of a Source: its provider and what that is told


class Agent(NamedTuple):
    """What `--agent` means here: its word for PolicyText, and what further flags would say."""

    word: str
    source: Source
    environment: Mapping[str, str]
    volume: Mapping[str, str]


def agent_named(name: str, given: Mapping[str, Source], shell: Shell) -> Agent:
    """Return what a recipe means for this caller. Raises UserError for an unknown name."""
    recipe = recipe_named(name)
    credential, source = _found(recipe, given, shell)
    volume = {"name": f"agent-{recipe.name}", "at": recipe.home}
    environment = {**dict(recipe.environment), **dict(credential.environment)}
    if source.provider == "file":
        environment |= _told(credential, source.words[0])
    return Agent(word_of(recipe, credential), source, environment, volume)


def policy_for(
    options: Options, shell: Shell, policy: dict[str, object], given: Mapping[str, Source]
) -> dict[str, object]:
    """Return PolicyText as a run with the same flags would send it."""
    if not options.agent:
        return policy
    return {**policy, "agent": agent_named(options.agent, given, shell).word}


def add_agent(
    options: Options, shell: Shell, policy: Mapping[str, object], wanted: dict[str, object]
) -> dict[str, object]:
    """Return PolicyText with the recipe that `--agent` names, and add its words to RunOptions.

    What the person says of a variable or a volume themselves stays.
    """
    agent = agent_named(options.agent, given_secrets(options.secret), shell)
    own = cast("dict[str, str]", wanted["environment"])
    wanted["environment"] = {**agent.environment, **own}
    volumes = cast("list[dict[str, str]]", wanted["volumes"])
    if all(each["at"] != agent.volume["at"] for each in volumes):
        wanted["volumes"] = [*volumes, dict(agent.volume)]
    return {**policy, "agent": agent.word}


def _found(recipe: Recipe, given: Mapping[str, Source], shell: Shell) -> tuple[Credential, Source]:
    """Return the first credential that a flag, a variable or a login file has; else the first."""
    for each in recipe.credentials:
        if each.secret_id in given:
            own = given[each.secret_id]
            return each, own._replace(hosts=tuple(dict.fromkeys((*own.hosts, *each.hosts))))
    for find in (_variable, _login):
        for each in recipe.credentials:
            words = find(each, shell)
            if words:
                return each, Source(each.secret_id, *words, each.hosts)
    # Perhaps the operator's configuration says where it is.
    first = recipe.credentials[0]
    return first, Source(first.secret_id, "env", (), first.hosts)


def _variable(credential: Credential, shell: Shell) -> _Words | None:
    for name in (credential.variable, *credential.outside):
        if shell.environ.get(name):
            return "env", (name,)
    return None


def _told(credential: Credential, file: str) -> dict[str, str]:
    """Return what of a login file is no secret, and is shown inside."""
    found = ((name, text_at(file, pointer)) for name, pointer in credential.told)
    return {name: text for name, text in found if text}


def _login(credential: Credential, shell: Shell) -> _Words | None:
    if credential.login is None:
        return None
    path, pointer = credential.login
    file = os.path.join(shell.home, path)  # noqa: PTH118 -- pathlib costs 3 ms
    return ("file", (file, pointer)) if leads_somewhere(file, pointer) else None
