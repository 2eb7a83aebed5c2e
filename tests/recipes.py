"""The recipes of coding agents as tests go through them.

In: the table of the product. Out: each credential with its recipe. Never: a recipe of the tests.
"""

from typing import Final

from cleanroom.policy.agent_recipes import RECIPES, Credential

EVERY: Final = [(recipe, each) for recipe in RECIPES.values() for each in recipe.credentials]


def secret_id(each: object) -> str:
    """Return what a test about a credential is called by."""
    return each.secret_id if isinstance(each, Credential) else ""
