"""A company's mirror: private.test, at a private address, that wants a token.

In: a file for the token. Out: the operator's words of config.yaml, and what the mirror is told.
Never: a policy that names the mirror.
"""

import base64
from pathlib import Path
from typing import Final

TOKEN: Final = "company_0123456789abcdefghijABCDEFGHIJ"  # noqa: S105 -- of these tests
OTHER: Final = "company_9876543210abcdefghijABCDEFGHIJ"
BEARER: Final = f"Bearer {TOKEN}"
BASIC: Final = f"Basic {base64.b64encode(f'robot:{TOKEN}'.encode()).decode()}"
WITHIN: Final = "10.20.30.40"  # of the company; no sandbox may reach it


def mirrors(token: Path, more: str = "", **every: str) -> str:
    """Return config.yaml's words. `every`: public host, with _ for dots, to the mirror's keys.

    `more` is further lines of `secrets`.
    """
    lines = [f"  {host.replace('_', '.')}: {{{keys}}}\n" for host, keys in every.items()]
    secret = f"  company: {{file: {token}}}\n"
    return f"secrets:\n{secret}{more}mirrors:\n{''.join(lines)}"
