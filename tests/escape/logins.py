"""Somebody who has logged in to coding agents, in the home of a World.

In: a World, a credential of a recipe. Out: variables and login files of the person. Never: a
variable or a file of whoever runs the tests.
"""

import json
from typing import Any

from cleanroom.policy.agent_recipes import Credential
from tests.escape.egress_world import World
from tests.recipes import EVERY


def log_in(world: World, credential: Credential, value: str, **told: str) -> None:
    """Have the person logged in: by the agent's own file if the recipe reads one.

    Else by the last variable where the value may be. `told`: what else the file says, by name.
    """
    if credential.login is None:
        world.home.variables[(credential.variable, *credential.outside)[-1]] = value
        return
    path, pointer = credential.login
    whole: dict[str, Any] = {}
    _put(whole, pointer, value)
    for name, each in credential.told:
        _put(whole, each, told[name])
    file = world.home.home / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(whole))


def log_out(world: World) -> None:
    """Take all logins away."""
    world.home.variables.clear()
    for _, credential in EVERY:
        if credential.login is not None:
            (world.home.home / credential.login[0]).unlink(missing_ok=True)


def _put(whole: dict[str, Any], pointer: str, value: str) -> None:
    *above, last = pointer.split("/")[1:]
    for word in above:
        whole = whole.setdefault(word, {})
    whole[last] = value
