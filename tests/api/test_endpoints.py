"""The table is consistent in itself and with the messages."""

import re

from cleanroom.api.endpoints import ENDPOINTS
from cleanroom.api.openapi import messages


def test_names_and_routes_are_unique() -> None:
    assert len({each.name for each in ENDPOINTS}) == len(ENDPOINTS)
    assert len({(each.method, each.path) for each in ENDPOINTS}) == len(ENDPOINTS)


def test_every_message_named_exists() -> None:
    named = {each.request for each in ENDPOINTS} | {each.response for each in ENDPOINTS}
    assert named - {""} <= set(messages())


def test_paths_hold_known_words_only() -> None:
    words = {word for each in ENDPOINTS for word in re.findall(r"{(\w+)}", each.path)}
    assert words == {"run_id", "sandbox_id", "execution_id"}


def test_reading_never_has_a_body() -> None:
    assert [each.name for each in ENDPOINTS if each.method == "GET" and each.request] == []
