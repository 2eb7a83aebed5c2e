"""The policy format for editors: JSON Schema draft-07, from the keys that the parser reads.

In: nothing. Out: a schema, a JSON text. Never: a key that the parser does not know. It accepts all
that the parser accepts; what only the parser checks (duplicates, host syntax) it cannot say.
"""

import json

from cleanroom.policy.parse import POLICY


def policy_schema() -> dict[str, object]:
    """Return the schema document of cleanroom.yaml."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "cleanroom.yaml",
        "description": "What a sandbox of this repository may reach, and how strong its walls are.",
        **POLICY.json_schema(),
    }


def render_json() -> str:
    """Return the schema as the file that editors read."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"
