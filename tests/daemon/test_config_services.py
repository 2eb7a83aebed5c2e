"""gateway.host_services of config.yaml."""

import pytest

from cleanroom.daemon.config import parse_config
from cleanroom.policy.problems import FileErrors


def test_services_are_read_as_pairs() -> None:
    text = "gateway:\n  host_services:\n    models.internal:11434: 127.0.0.1:8080\n"
    settings = parse_config(text, "config.yaml", {}).settings
    assert settings.gateway.host_services == (("models.internal:11434", "127.0.0.1:8080"),)
    assert parse_config("", "config.yaml", {}).settings.gateway.host_services == ()


@pytest.mark.parametrize(
    "pair", ["models.internal: 127.0.0.1:80", "a.b:80: 10.0.0.1:80", "a.b:80: localhost:80"]
)
def test_what_is_no_place_of_this_host_is_refused_with_its_line(pair: str) -> None:
    with pytest.raises(FileErrors) as caught:
        parse_config(f"gateway:\n  host_services:\n    {pair}\n", "config.yaml", {})
    assert caught.value.problems[0].line == 3
