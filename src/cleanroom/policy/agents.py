"""What the recipe of a coding agent adds to a policy, and the files that it finds inside.

In: a recipe's word, a policy as written. Out: that policy with the recipe's hosts and its one
binding. Never: a recipe that applies without a person's flag; a value. What a recipe adds is in
the compiled policy, hashed and audited like what was written.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from string import Template
from typing import Final, NamedTuple

from cleanroom.errors import Code, UserError
from cleanroom.policy.agent_recipes import RECIPES, Credential, InsideFile, Recipe
from cleanroom.policy.model import NetworkPolicy, Place, Rule, RuleKind, SecretBinding
from cleanroom.policy.written import Policy

HTTPS_PORT: Final = 443
TTL_S: Final = 86_400  # its sandbox's time to live ends it before
_END: Final = 20  # characters by which an agent knows a key
_KEPT: Final = 20  # of a list that grows with each sandbox


class Login(NamedTuple):
    """A recipe, and how its agent is logged in."""

    recipe: Recipe
    credential: Credential


def recipe_named(name: str) -> Recipe:
    """Return the recipe of this name. Raises UserError."""
    if name not in RECIPES:
        message = f"cannot find a recipe for the agent {name[:64]!r}"
        raise UserError(Code.REQUEST_INVALID, message, f"there are: {', '.join(RECIPES)}")
    return RECIPES[name]


def word_of(recipe: Recipe, credential: Credential) -> str:
    """Return how a request says a recipe and its credential."""
    return f"{recipe.name}/{credential.secret_id}"


def login_of(word: str) -> Login:
    """Return what such a word names. Raises UserError for one that names nothing."""
    name, _, secret_id = word.partition("/")
    recipe = recipe_named(name)
    credential = next((each for each in recipe.credentials if each.secret_id == secret_id), None)
    if credential is None:
        message = f"cannot log in the agent {name!r} by {secret_id[:64]!r}"
        known = ", ".join(each.secret_id for each in recipe.credentials)
        raise UserError(Code.REQUEST_INVALID, message, f"there are: {known}")
    return Login(recipe, credential)


def files_of(credential: Credential, environment: Mapping[str, str]) -> tuple[InsideFile, ...]:
    """Return the files that the agent finds inside, with the sandbox's variables in them."""
    known = {name: "" for name, _ in credential.told} | dict(environment)
    known |= {f"{name}_END": value[-_END:] for name, value in known.items()}
    escaped = {name: json.dumps(value)[1:-1] for name, value in known.items()}
    return tuple(
        replace(each, text=Template(each.text).safe_substitute(escaped))
        for each in credential.files
    )


def added(found: str, settings: str) -> str:
    """Return a JSON object with what settings say as well; what is none counts as empty.

    What was found is the work of what ran before, and may be anything.
    """
    try:
        there = json.loads(found)
        wanted = _joined(there if isinstance(there, dict) else {}, json.loads(settings))
        return json.dumps(wanted, indent=2)
    except (ValueError, RecursionError):
        return settings


def _joined(there: object, wanted: object) -> object:
    if isinstance(there, dict) and isinstance(wanted, dict):
        both = {name: _joined(there.get(name), value) for name, value in wanted.items()}
        return {**there, **both}
    if isinstance(there, list) and isinstance(wanted, list):
        return [*there[-_KEPT:], *wanted]
    return wanted


def with_agent(policy: Policy, word: str) -> Policy:
    """Return the policy with what a recipe adds. Raises UserError for a word that names none.

    SECURITY: what a deny rule names stays denied; both at once is a conflict.
    """
    recipe, credential = login_of(word)
    name = recipe.name
    place = Place(preset=f"agent {name}")
    rules = tuple(
        Rule(RuleKind.EXACT, host, (HTTPS_PORT,), place=place) for host in credential.hosts
    )
    binding = SecretBinding(
        credential.secret_id,
        credential.variable,
        credential.hosts,
        ttl_s=TTL_S,
        header=credential.fields[0] if len(credential.fields) == 1 else None,
        place=place,
    )
    # The person's flag is nearer than the file: one variable has one placeholder.
    others = tuple(
        each
        for each in policy.secrets
        if each.env != binding.env and each.secret_id != binding.secret_id
    )
    network = policy.sandbox.network
    network = NetworkPolicy((*network.allow_rules, *rules), network.deny_rules)
    sandbox = replace(policy.sandbox, network=network)
    return replace(policy, sandbox=sandbox, secrets=(*others, binding))
