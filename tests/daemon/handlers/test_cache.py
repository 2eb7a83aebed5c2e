"""The content cache over the API."""

import os
from pathlib import Path

import pytest

from cleanroom.cache.model import Fields, Key
from cleanroom.gateway.store_wire import MAX_PACKET_BYTES, Removed, decode_for_gateway
from tests.daemon.daemons import Daemon, Setting, play, running

A, B = "a" * 64, "b" * 64
POLICY = """version: 1
registries:
  pypi:
    enable: true
    allowed_hosts: [index.example]
    lockfile_enforcement: {enabled: true, lockfiles: [requirements.txt]}
  npm: {allowed_hosts: [npm.example]}
"""


def keep(daemon: Daemon, *contents: bytes) -> list[str]:
    """Keep files; return their digests."""
    store = daemon.host.content.store()
    kept = []
    for number, content in enumerate(contents):
        room = store.spool()
        os.write(room, content)
        kept.append(store.keep(Key("h.example", f"/{number}"), room, Fields(), ()).sha256)
        os.close(room)
    return kept


def test_the_cache_is_shown_verified_and_pruned(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            empty = (await daemon.ask("GET", "/v1/cache"))[1]
            folder = daemon.host.paths.content
            assert empty == {
                "folder": str(folder),
                "entries": 0,
                "files": 0,
                "bytes": 0,
                "git_bytes": 0,
                "limit": 1 << 30,
            }
            right, damaged = keep(daemon, b"right", b"damaged")
            link = daemon.host.content.link()  # of a gateway that has not begun to listen
            blob = folder / "cas" / "sha256" / damaged[:2] / damaged
            blob.write_bytes(b"DAMAGED")
            verified = (await daemon.ask("POST", "/v1/cache/verify"))[1]
            assert verified == {"right": 1, "damaged": [damaged]}
            assert not blob.exists()
            status, pruned = await daemon.ask("POST", "/v1/cache/prune", {})
            assert (status, pruned["removed_bytes"], pruned["left"]["bytes"]) == (200, 0, 5)
            pruned = (await daemon.ask("POST", "/v1/cache/prune", {"keep_bytes": 0}))[1]
            assert (pruned["removed_bytes"], pruned["left"]["files"]) == (5, 0)
            assert not (folder / "cas" / "sha256" / right[:2] / right).exists()
            assert (await daemon.ask("POST", "/v1/cache/prune", {"keep_bytes": -1}))[0] == 400
            assert (await daemon.ask("POST", "/v1/cache/verify"))[1]["damaged"] == []
            link.theirs.settimeout(0)
            told = [decode_for_gateway(link.theirs.recv(MAX_PACKET_BYTES)) for _ in range(3)]
            assert told == [Removed()] * 3  # the damaged one, and two prunings
            with pytest.raises(BlockingIOError):
                link.theirs.recv(MAX_PACKET_BYTES)
            link.close()

    play(conversation())


def test_what_git_takes_is_counted_checked_and_pruned_like_all_else(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            keep(daemon, b"a package")
            store = daemon.host.content.store()
            packs = []
            for number, content in enumerate((b"a pack", b"another pack", b"a list")):
                room = store.spool()
                os.write(room, content)
                form = ("git version=2", f"git {A}", "git")[number]
                key = Key("git.example", f"/{number}", form)
                packs.append(store.keep(key, room, Fields(), ()).sha256)
                os.close(room)
            shown = (await daemon.ask("GET", "/v1/cache"))[1]
            assert (shown["bytes"], shown["git_bytes"]) == (33, 24)
            folder = daemon.host.paths.content / "cas" / "sha256"
            (folder / packs[1][:2] / packs[1]).write_bytes(b"another PACK")
            verified = (await daemon.ask("POST", "/v1/cache/verify"))[1]
            assert verified == {"right": 3, "damaged": [packs[1]]}
            pruned = (await daemon.ask("POST", "/v1/cache/prune", {"keep_bytes": 0}))[1]
            assert (pruned["removed_bytes"], pruned["left"]["git_bytes"]) == (21, 0)

    play(conversation())


def test_a_cache_that_does_not_work_is_said(short_path: Path) -> None:
    async def conversation() -> None:
        setting = Setting(short_path)
        setting.paths.cache.mkdir(parents=True, exist_ok=True)
        setting.paths.content.write_text("in the way")
        async with running(setting) as daemon:
            status, problem = await daemon.ask("GET", "/v1/cache")
            assert status == 500
            assert "cannot use the content cache" in problem["detail"]

    play(conversation())


def test_what_lock_files_pin_is_listed(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            text = f"foo==1.0 --hash=sha256:{A} --hash=sha256:{B}\nbar==2.0\n"
            policy = {"path": "cleanroom.yaml", "text": POLICY}
            body = {"policy": {**policy, "lockfiles": {"requirements.txt": text}}}
            status, found = await daemon.ask("POST", "/v1/policy/artifacts", body)
            assert status == 200
            (registry,) = found["registries"]
            assert (registry["manager"], registry["hosts"]) == ("pypi", ["index.example"])
            assert registry["held"] is True
            (foo,) = registry["artifacts"]
            assert foo == {
                "name": "foo",
                "version": "1",
                "file": "",
                "url": "",
                "digests": [f"sha256:{A}", f"sha256:{B}"],
            }
            status, problem = await daemon.ask("POST", "/v1/policy/artifacts", {"policy": policy})
            assert (status, problem["code"]) == (422, "policy_invalid")

    play(conversation())
