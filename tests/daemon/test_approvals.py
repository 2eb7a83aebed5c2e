"""A run begins if its policy was agreed to for this very folder (P5; attacks on approval)."""

import asyncio
import dataclasses
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cleanroom.daemon import approvals
from cleanroom.daemon.approvals import NOTICE, Approvals, Workspace
from cleanroom.daemon.journal import Journal
from cleanroom.daemon.store import Approval, Store
from cleanroom.errors import Code, Refused, UserError
from cleanroom.policy.compile import compile_nothing
from cleanroom.policy.model import CompiledPolicy, SecretBinding
from cleanroom.policy.widening import Difference, difference
from tests.daemon.daemons import play
from tests.fake_workspaces import FakeWorkspaces
from tests.fakes import FakeBackend
from tests.policy.reading import compiled, network

HERE = Workspace("/home/someone/project", "uid:1000")
ONE = compiled(network("{host: one.example}"))
TWO = compiled(network("{host: one.example}", "{host: two.example}"))


class Audit:
    """Lines of the audit, in memory."""

    def __init__(self) -> None:
        self.details: list[dict[str, str]] = []

    def append(self, records: object) -> None:
        """Keep what was written."""
        for record in records:  # type: ignore[attr-defined]
            assert record.event.kind == "policy.approved"
            self.details.append(dict(record.event.detail))

    def prune(self, keep: object) -> int:
        """Nothing to remove."""
        return 0

    def close(self) -> None:
        """Nothing to close."""


@dataclasses.dataclass
class Desk:
    """Approvals on a store of their own."""

    approvals: Approvals
    folders: FakeWorkspaces
    audit: Audit
    store: Store

    async def refused(self, policy: CompiledPolicy, at: Workspace = HERE, wanted: str = "") -> str:
        """Return why a run may not begin."""
        with pytest.raises(Refused) as caught:
            await self.approvals.admit(at, policy, wanted)
        assert caught.value.code is Code.APPROVAL_REQUIRED
        assert "cleanroom policy approve" in caught.value.hint
        return caught.value.message


def at_a_desk(
    folder: Path, conversation: Callable[[Desk], Awaitable[None]], mode: str = "ask"
) -> None:
    """Play a conversation with approvals."""

    async def whole() -> None:
        store = Store(folder / "state.db")
        await store.open()
        folders, audit = FakeWorkspaces(FakeBackend()), Audit()
        desk = Desk(Approvals(store, Journal(audit), folders, mode), folders, audit, store)
        await conversation(desk)
        await store.close()

    play(whole())


def test_the_first_run_says_its_reach_and_is_recorded(tmp_path: Path) -> None:
    async def conversation(desk: Desk) -> None:
        notes = await desk.approvals.admit(HERE, ONE)
        assert notes == ["first run here, approved with hosts: one.example:80,443"]
        assert await desk.approvals.admit(HERE, ONE) == []
        [line] = desk.audit.details
        assert (line["how"], line["who"]) == ("first run", "uid:1000")
        assert line["policy_hash"] == ONE.policy_hash

    at_a_desk(tmp_path, conversation)


def test_a_host_more_is_asked_for_and_a_host_less_is_not(tmp_path: Path) -> None:
    async def conversation(desk: Desk) -> None:
        await desk.approvals.admit(HERE, ONE)
        assert "host two.example on port 80, 443" in await desk.refused(TWO)
        await desk.refused(TWO)  # being refused approves nothing
        finding = await desk.approvals.approve(HERE, TWO, TWO.policy_hash)
        assert [change.text() for change in finding.difference.wider] == [
            "host two.example on port 80, 443"
        ]
        assert await desk.approvals.admit(HERE, TWO) == []
        assert await desk.approvals.admit(HERE, ONE) == []
        # What was given up is not there to be taken back.
        await desk.refused(TWO)
        assert [line["how"] for line in desk.audit.details] == ["first run", "approve", "narrower"]

    at_a_desk(tmp_path, conversation)


def test_a_policy_that_appears_where_there_was_none_is_asked_for(tmp_path: Path) -> None:
    async def conversation(desk: Desk) -> None:
        assert await desk.approvals.admit(HERE, compile_nothing()) == []
        fallback = dataclasses.replace(ONE, source_path=".buildkite/cleanroom.yaml")
        assert ".buildkite/cleanroom.yaml reaches more" in await desk.refused(fallback)

    at_a_desk(tmp_path, conversation)


def test_a_folder_that_was_replaced_inherits_nothing(tmp_path: Path) -> None:
    async def conversation(desk: Desk) -> None:
        await desk.approvals.admit(HERE, ONE)
        desk.folders.marks[HERE.path] = "made again"
        assert "was replaced by another folder" in await desk.refused(ONE)
        assert "was replaced" in await desk.refused(compile_nothing())
        await desk.approvals.approve(HERE, ONE)
        assert await desk.approvals.admit(HERE, ONE) == []

    at_a_desk(tmp_path, conversation)


def test_a_folder_that_was_renamed_is_asked_for(tmp_path: Path) -> None:
    async def conversation(desk: Desk) -> None:
        desk.folders.marks = dict.fromkeys((HERE.path, "/home/someone/else"), "mark")
        await desk.approvals.admit(HERE, ONE)
        there = Workspace("/home/someone/else", "uid:1000")
        assert f"approved at {HERE.path}" in await desk.refused(ONE, there)
        await desk.approvals.approve(there, ONE)
        assert await desk.approvals.admit(there, ONE) == []
        assert await desk.approvals.admit(HERE, ONE) == []  # two mounts of one folder

    at_a_desk(tmp_path, conversation)


def test_a_clone_elsewhere_has_its_own_first_run(tmp_path: Path) -> None:
    async def conversation(desk: Desk) -> None:
        await desk.approvals.admit(HERE, TWO)
        clone = Workspace("/home/someone/clone", "uid:1000")
        assert await desk.approvals.admit(clone, ONE)
        await desk.refused(TWO, clone)

    at_a_desk(tmp_path, conversation)


def test_a_hash_that_is_named_is_the_only_one_that_runs(tmp_path: Path) -> None:
    async def conversation(desk: Desk) -> None:
        assert "not the sha256:0 named" in await desk.refused(ONE, wanted="sha256:0")
        assert desk.audit.details == []
        await desk.approvals.admit(HERE, ONE)
        await desk.refused(ONE, wanted=TWO.policy_hash)
        assert await desk.approvals.admit(HERE, TWO, TWO.policy_hash) == []
        assert desk.audit.details[-1]["how"] == "hash"

    at_a_desk(tmp_path, conversation)


def test_the_operator_may_be_told_instead_of_asked(tmp_path: Path) -> None:
    async def conversation(desk: Desk) -> None:
        await desk.approvals.admit(HERE, ONE)
        said, change = await desk.approvals.admit(HERE, TWO)
        assert "reaches more than was approved here" in said
        assert change == "+ host two.example on port 80, 443"
        assert desk.audit.details[-1]["how"] == "notice"
        assert await desk.approvals.admit(HERE, TWO) == []

    at_a_desk(tmp_path, conversation, NOTICE)


def test_a_notice_moves_no_secret_to_another_place_at_its_host(tmp_path: Path) -> None:
    token = SecretBinding("gh", "GH_TOKEN", ("one.example",), target=("header",))
    page = dataclasses.replace(token, target=("header", "json"))
    more = dataclasses.replace(token, allowed_hosts=("one.example", "two.example"))
    agreed, posted, also = [
        dataclasses.replace(TWO, policy_hash=f"sha256:{at}", secrets=(binding,))
        for at, binding in enumerate((token, page, more))
    ]
    sends = {"gh": ("one.example",)}

    async def conversation(desk: Desk) -> None:
        await desk.approvals.approve(HERE, agreed)
        assert await desk.approvals.admit(HERE, agreed, sends=sends) == []
        for wider, hosts in ((posted, "one.example"), (also, "two.example")):
            with pytest.raises(Refused) as caught:
                await desk.approvals.admit(HERE, wider, sends={"gh": tuple(hosts.split())})
            assert f"nobody approved here that 'gh' goes to {hosts}" in caught.value.message
        assert await desk.approvals.admit(HERE, agreed, sends=sends) == []

    at_a_desk(tmp_path, conversation, NOTICE)


def test_only_what_was_seen_is_approved(tmp_path: Path) -> None:
    async def conversation(desk: Desk) -> None:
        await desk.approvals.admit(HERE, ONE)
        looked = await desk.approvals.look(HERE, TWO)
        assert looked.reason
        with pytest.raises(UserError, match="by now"):
            await desk.approvals.approve(HERE, TWO, ONE.policy_hash)
        await desk.refused(TWO)

    at_a_desk(tmp_path, conversation)


@pytest.mark.parametrize("document", [b'{"policy": 1}', b'{"\xc9": 1}'])
def test_an_approval_that_cannot_be_read_approves_nothing(tmp_path: Path, document: bytes) -> None:
    async def conversation(desk: Desk) -> None:
        mark = await desk.folders.mark(HERE.path)
        await desk.store.put_approval(Approval(HERE.path, mark, "sha256:0", document))
        assert "another version" in await desk.refused(ONE)

    at_a_desk(tmp_path, conversation)


def test_a_long_difference_is_counted(tmp_path: Path) -> None:
    async def conversation(desk: Desk) -> None:
        await desk.approvals.admit(HERE, compile_nothing())
        assert "host one.example on port 80, 443 and 1 more" in await desk.refused(TWO)

    at_a_desk(tmp_path, conversation)


def test_a_long_comparison_for_one_folder_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(old: CompiledPolicy, new: CompiledPolicy) -> Difference:
        if new == TWO:
            begun.set()
            assert go_on.wait(60)
        return difference(old, new)

    async def conversation(desk: Desk) -> None:
        await desk.approvals.admit(HERE, ONE)
        monkeypatch.setattr(approvals, "difference", slowly)
        async with asyncio.TaskGroup() as group:
            long = group.create_task(desk.refused(TWO))
            assert await asyncio.to_thread(begun.wait, 60)
            other = dataclasses.replace(HERE, path="/home/someone/other")
            assert await desk.approvals.admit(other, ONE) != []
            go_on.set()
        assert "two.example" in long.result()

    at_a_desk(tmp_path, conversation)
