"""docs/agents.md has a section for each recipe, with all that a person may set."""

from cleanroom.policy.agent_recipes import RECIPES
from cleanroom.policy.agents_page import render_markdown


def test_every_recipe_has_its_section() -> None:
    text = render_markdown()
    for recipe in RECIPES.values():
        assert (
            f"| {recipe.title} | {recipe.package} | {recipe.version} | {', '.join(recipe.refused)}"
            in text
        )
        _, _, rest = text.partition(f"\n## {recipe.title}\n")
        section = rest.partition("\n## ")[0]
        for each in recipe.credentials:
            assert f"`{each.secret_id}`" in section
            assert f"`${each.variable}`" in section
            assert all(f"`{name}={value}`" in section for name, value in each.environment)
            for file in each.files:
                assert f"| `{file.path}` | `{each.secret_id}` | {file.way.value}" in section
            assert all(f"`{name}` (`{pointer}` of yours" in section for name, pointer in each.told)
            assert each.login is None or f"`~/{each.login[0]}` at `{each.login[1]}`" in section
        assert f"`agent-{recipe.name}` at `{recipe.home}`" in section
        assert all(f"`{name}={value}`" in section for name, value in recipe.environment)
        assert all(note in section for note in recipe.notes)
