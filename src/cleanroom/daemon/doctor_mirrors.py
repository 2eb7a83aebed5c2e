"""The operator's mirrors for doctor: is the secret of each where the configuration says?

In: config.yaml, the environment. Out: HostItems. Never: a value, a request, a program run.
"""

import os
from collections.abc import Mapping

from cleanroom.backends.process import find_program
from cleanroom.daemon.config import load_config
from cleanroom.daemon.doctor_report import HostItem
from cleanroom.daemon.paths import paths_of
from cleanroom.daemon.settings import SecretSource
from cleanroom.decide.mirror import Mirror
from cleanroom.errors import CleanroomError


def mirror_items(environment: Mapping[str, str], uid: int) -> tuple[HostItem, ...]:
    """Return one item a mirror, or one that says why the configuration cannot be read."""
    try:
        settings = load_config(paths_of(environment, uid).config, environment).settings
    except CleanroomError as error:
        return (HostItem("config.yaml", present=False, detail=error.message),)
    sources = dict(settings.secrets)
    return tuple(_item(each, sources.get(each.auth), environment) for each in settings.mirrors)


def _item(mirror: Mirror, source: SecretSource | None, environment: Mapping[str, str]) -> HostItem:
    files = f", files in {', '.join(mirror.storage)}" if mirror.storage else ""
    if source is None:
        return HostItem(mirror.host, present=True, detail=f"{mirror.url}{files}")
    why = _missing(source, environment)
    detail = f"{mirror.url}{files}, secret '{mirror.auth}' of {source.provider}"
    return HostItem(mirror.host, present=not why, detail=f"{detail}{why}")


def _missing(source: SecretSource, environment: Mapping[str, str]) -> str:
    """Return what is missing here, as the end of a sentence; a keyring is not opened to look."""
    word = source.words[0]
    match source.provider:
        case "env":
            return "" if environment.get(word) else f": {word} is not set"
        case "file":
            return "" if os.access(word, os.R_OK) else f": {word} cannot be read"
        case "command":
            return "" if find_program(word) else f": there is no program {word}"
        case _:
            return ""
