"""Recipes of coding agents: each says all that a person needs, and its login file is JSON."""

import json
import tomllib

import pytest

from cleanroom.policy.agent_recipes import RECIPES, Credential, Recipe, Way
from cleanroom.policy.agents import files_of
from tests.recipes import EVERY, secret_id


def test_every_recipe_says_what_a_person_needs() -> None:
    ids = [credential.secret_id for _, credential in EVERY]
    assert len(set(ids)) == len(ids)
    for recipe in RECIPES.values():
        assert recipe.command.startswith(recipe.name)
        assert recipe.home.startswith("/home/cleanroom/.")
        assert recipe.credentials


@pytest.mark.parametrize(("recipe", "credential"), EVERY, ids=secret_id)
def test_files_are_directly_in_the_home_and_can_be_read(
    recipe: Recipe, credential: Credential
) -> None:
    holder = "stands for a value of the sandbox"
    for file in files_of(credential, {credential.variable: holder}):
        folder, _, _ = file.path.rpartition("/")
        assert folder == recipe.home  # so in its volume
        read = tomllib.loads if file.path.endswith(".toml") else json.loads
        assert read(file.text)
        assert "$" not in file.text
        assert file.way is not Way.ADDED or file.path.endswith(".json")
    assert credential.login is not None or not credential.told
