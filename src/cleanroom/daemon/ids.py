"""Names of sandboxes, executions and runs: unguessable when made, checked when read.

In: a word of a client. Out: an id, or an error with its code. Never: a path, a lookup, or an
answer that tells a wrong id from an unknown one.
"""

import re
import secrets
from typing import Final

from cleanroom.errors import Code, UserError

_ID: Final = re.compile(r"(sbx|exe|run)_[0-9a-f]{20}", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


def new_id(prefix: str) -> str:
    """Return a fresh id of 80 random bits, e.g. `sbx_` and 20 hex digits."""
    return f"{prefix}_{secrets.token_hex(10)}"


def sandbox_word(word: str) -> str:
    """Check an id or a name of a sandbox. Raises UserError(sandbox_not_found)."""
    if _is_id(word, "sbx") or _NAME.fullmatch(word):
        return word
    raise UserError(
        Code.SANDBOX_NOT_FOUND,
        "cannot find this sandbox: that is neither an id nor a name",
        "run: cleanroom sandboxes list",
    )


def execution_id(word: str) -> str:
    """Check an id of an execution. Raises UserError(execution_not_found)."""
    if _is_id(word, "exe"):
        return word
    raise UserError(
        Code.EXECUTION_NOT_FOUND,
        "cannot find this execution: that is not an id",
        "run: cleanroom executions list SANDBOX",
    )


def run_word(word: str) -> str:
    """Check an id of a run, or `last`. Raises UserError(execution_not_found)."""
    if word == "last" or _is_id(word, "run"):
        return word
    raise UserError(
        Code.EXECUTION_NOT_FOUND,
        "cannot find this run: that is neither an id nor `last`",
        "run: cleanroom status",
    )


def _is_id(word: str, prefix: str) -> bool:
    return _ID.fullmatch(word) is not None and word.startswith(prefix)
