"""A JSON object of the daemon, read field by field: a wrong type is an error, never a guess.

In: what json.loads returned. Out: texts, numbers, lists. Never: a third-party import; the daemon
has the one full description of each message (api/types.py).
"""

from typing import Final

from cleanroom.client.http1 import broken

_REQUIRED: Final = "\0required"  # no daemon sends it


class Reply:
    """One JSON object. Fields that an older daemon does not send need a default."""

    def __init__(self, fields: dict[str, object]) -> None:
        self.fields = fields

    @classmethod
    def of(cls, value: object) -> "Reply":
        """Return `value` as a Reply. Raises Fault if it is not an object."""
        if not isinstance(value, dict):
            broken("it is not an object")
        return cls(value)

    def __contains__(self, name: str) -> bool:
        return self.fields.get(name) is not None

    def text(self, name: str, default: str = _REQUIRED) -> str:
        """Return a text; absent or null: `default`."""
        value = self.fields.get(name)
        if value is None and default is not _REQUIRED:
            return default
        if not isinstance(value, str):
            broken(f"{name} is not a text")
        return value

    def maybe_number(self, name: str) -> int | None:
        """Return an integer, or None for null or absent."""
        value = self.fields.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            broken(f"{name} is not a number")
        return value

    def number(self, name: str) -> int:
        """Return an integer."""
        value = self.maybe_number(name)
        if value is None:
            broken(f"{name} is missing")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean; absent or null: False."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, bool):
            broken(f"{name} is neither true nor false")
        return bool(value)

    def item(self, name: str) -> "Reply":
        """Return an object."""
        value = self.fields.get(name)
        if not isinstance(value, dict):
            broken(f"{name} is not an object")
        return Reply(value)

    def _list(self, name: str) -> list[object]:
        value = self.fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            broken(f"{name} is not a list")
        return value

    def items(self, name: str) -> list["Reply"]:
        """Return a list of objects; absent or null: empty."""
        return [Reply.of(value) for value in self._list(name)]

    def texts(self, name: str) -> list[str]:
        """Return a list of texts; absent or null: empty."""
        values = self._list(name)
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) != len(values):
            broken(f"{name} holds something that is not a text")
        return texts

    def table(self, name: str) -> dict[str, object]:
        """Return an object as it is, e.g. timings; absent or null: empty."""
        return self.item(name).fields if name in self else {}
