"""`-e` and `--env-file`: the variables that a person gives to the workload.

In: flag values, the caller's environment, the text of a file. Out: a dict, and names that look like
credentials. Never: a value in a message.
"""

import re
from collections.abc import Mapping
from typing import Final

from cleanroom.cli.parser import variable_name
from cleanroom.client.files import SMALL, read_limited
from cleanroom.errors import Code, UserError

# Compiled when they are used: most commands set no variable.
_TELLING_NAME: Final = (
    r"(?i)(token|secret|passw(or)?d|credential|api_?key|access_?key|private_?key|auth)"
)
_TELLING_VALUE: Final = (
    r"gh[pousr]_|github_pat_|glpat-|sk-|xox[abprs]-|AKIA[0-9A-Z]{16}|npm_[A-Za-z0-9]{30}"
    r"|pypi-|eyJ[A-Za-z0-9_-]+\.|-----BEGIN |[a-z+]+://[^/\s:@]+:[^/\s@]+@"
)


def given_environment(
    flags: list[str], files: list[str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables: files first, then flags, the last one of a name wins.

    `K` takes the caller's value and is left out if there is none. Raises UserError with the place
    in the file, UsageError for a bad name.
    """
    given: dict[str, str] = {}
    for path in files:
        given.update(_file(path, environ))
    for flag in flags:
        given.update(_pair(flag, environ))
    return given


def look_like_credentials(given: Mapping[str, str]) -> list[str]:
    """Return the names whose name or value is shaped like a credential."""
    return [
        name
        for name, value in given.items()
        if value and (re.search(_TELLING_NAME, name) or re.match(_TELLING_VALUE, value))
    ]


def binding_for(name: str) -> str:
    """Return what to write in cleanroom.yaml so that the value of a variable stays outside."""
    secret_id = name.lower().strip("_").replace("_", "-")
    return f"secrets: [{{id: {secret_id}, env: {name}, allowed_hosts: [HOST]}}]"


def _pair(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    name, equals, value = text.partition("=")
    variable_name(name)
    if equals:
        return {name: value}
    return {name: environ[name]} if name in environ else {}


def _file(path: str, environ: Mapping[str, str]) -> dict[str, str]:
    try:
        text = read_limited(path, SMALL)
    except (OSError, ValueError) as error:
        message = f"cannot read {path}: {getattr(error, 'strerror', None) or error}"
        raise UserError(Code.REQUEST_INVALID, message, "name a file: --env-file FILE") from None
    given: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line and not line.startswith("#"):
            try:
                given.update(_pair(line, environ))
            except UserError as error:
                message = f"cannot read {path}:{number}: a line is NAME=VALUE, or NAME"
                raise UserError(error.code, message, "correct that line") from None
    return given
