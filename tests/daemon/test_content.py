"""The content cache: opened late, tried before it is relied on, never a reason not to start."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.cache.model import Entry, Info, Key
from cleanroom.cache.store import Store
from cleanroom.daemon.content import Content
from cleanroom.gateway.store_wire import MAX_PACKET_BYTES, Removed, decode_for_gateway


@pytest.fixture
def content(tmp_path: Path) -> Iterator[Content]:
    made = Content(tmp_path / "content", 10**6, lambda: 0.0)
    yield made
    made.close()


def test_it_is_proven_by_trying_and_leaves_nothing(content: Content, tmp_path: Path) -> None:
    assert not (tmp_path / "content").exists()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    assert content.prove() == ""
    assert content.store().info() == Info(0, 0, 0, 10**6)
    content.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_it_is_opened_once(content: Content) -> None:
    assert content.store() is content.store()


def test_it_is_opened_anew_when_somebody_has_removed_its_folder(
    content: Content, tmp_path: Path
) -> None:
    before, link = content.store(), content.link()
    shutil.rmtree(tmp_path / "content")
    assert content.prove() == ""
    assert content.store() is not before
    assert content.store() is content.store()
    told = decode_for_gateway(link.theirs.recv(MAX_PACKET_BYTES))
    assert told == Removed()
    link.close()


def test_a_folder_that_cannot_be_used_is_said_and_tried_again(
    content: Content, tmp_path: Path
) -> None:
    (tmp_path / "content").write_text("a file")
    why = content.prove()
    assert why == f"the content cache {tmp_path / 'content'} does not work: File exists"
    (tmp_path / "content").unlink()
    assert content.prove() == ""


def test_one_that_gives_back_something_else_is_not_relied_on(
    content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = Store.find

    def find_another(store: Store, key: Key) -> tuple[Entry, int] | None:
        found = find(store, key)
        if found is None:
            return None
        os.close(found[1])
        return found[0], os.memfd_create("another")

    monkeypatch.setattr(Store, "find", find_another)
    assert "does not work" in content.prove()


def test_one_that_is_closed_stays_closed(content: Content) -> None:
    content.store()
    content.close()
    content.close()
    assert "does not work" in content.prove()
