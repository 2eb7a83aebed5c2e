"""The kernel says who is connected (C1)."""

import os
import socket

import pytest

from cleanroom.daemon.access import judge_peer, peer_uid
from cleanroom.errors import Refused


def test_the_peer_of_a_socket_is_known() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_uid(ours) == os.geteuid()


def test_only_the_daemons_own_uid_is_served_root_included() -> None:
    assert judge_peer(1000, 1000) == "uid:1000"
    for uid in (0, 1001):
        with pytest.raises(Refused):
            judge_peer(uid, 1000)
