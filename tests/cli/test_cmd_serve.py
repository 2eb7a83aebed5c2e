"""`cleanroom serve` becomes the daemon at the address that was named, or the usual one."""

import pytest

from tests.cli.conftest import CommandLine


def test_the_address_is_named_or_the_clients_own(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened: list[str] = []

    def become(url: str) -> int:
        listened.append(url)
        return 3

    monkeypatch.setattr("cleanroom.daemon.main.serve_process", become)
    assert cli("serve", "--listen", "unix:///x/d.sock").status == 3
    monkeypatch.delenv("CLEANROOM_HOST")
    assert cli("serve").status == 3
    assert listened[0] == "unix:///x/d.sock"
    assert listened[1].endswith("/cleanroom/cleanroom.sock")
    assert cli("serve", "--listen", "tcp://1:2").status == 2
