"""Recipes of coding agents: each says all that a person needs, and its login file is JSON."""

import json

import pytest

from cleanroom.policy.agent_recipes import RECIPES, Credential, Recipe
from cleanroom.policy.agents import login_text

EVERY = [(recipe, each) for recipe in RECIPES.values() for each in recipe.credentials]


def test_every_recipe_says_what_a_person_needs() -> None:
    ids = [credential.secret_id for _, credential in EVERY]
    assert len(set(ids)) == len(ids)
    for recipe in RECIPES.values():
        assert recipe.command.startswith(recipe.name)
        assert recipe.home.startswith("/home/cleanroom/.")
        assert recipe.credentials


@pytest.mark.parametrize(("recipe", "credential"), EVERY, ids=lambda each: str(each)[:40])
def test_a_login_file_is_json_below_the_home(recipe: Recipe, credential: Credential) -> None:
    if credential.file is not None:
        assert credential.file.path.startswith(f"{recipe.home}/")
        text = login_text(credential, {credential.variable: "stands for it"})
        assert "stands for it" in json.dumps(json.loads(text))
    assert credential.login is not None or not credential.told
