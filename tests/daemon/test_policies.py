"""Texts are compiled once, with their lock files, and what is odd about them is said."""

import asyncio
from collections.abc import Mapping

import pytest

from cleanroom.api.policy_types import PolicyText
from cleanroom.daemon import policies as module
from cleanroom.daemon.lock_reader import Readers
from cleanroom.daemon.policies import NO_POLICY, SHADOWED, Compiled, Policies, lockfiles_of
from cleanroom.lockfile.lines import Outcome
from cleanroom.policy.problems import PolicyErrors

REGISTRY = """version: 1
registries:
  pypi:
    enable: true
    allowed_hosts: [index.example]
    lockfile_enforcement:
      enabled: true
      lockfiles: [requirements.txt, '**/uv.lock']
"""
PINNED = f"foo==1.0 --hash=sha256:{'a' * 64}\n"


def text(policy: str = "version: 1\n", **lockfiles: str) -> PolicyText:
    """Return a policy with lock files, named by words without their dot."""
    named = {name.replace("_", "."): content for name, content in lockfiles.items()}
    return PolicyText(path="cleanroom.yaml", text=policy, lockfiles=named)


def compiled(*texts: PolicyText) -> list[Compiled]:
    """Return what one daemon makes of texts, one after the other."""

    async def work() -> list[Compiled]:
        policies = Policies()
        return [await policies.compile(each) for each in texts]

    return asyncio.run(work())


def test_the_same_text_is_compiled_once() -> None:
    first, second = compiled(text(), text())
    assert first.policy is second.policy
    assert first.policy.source_path == "cleanroom.yaml"


def test_no_policy_denies_everything_and_says_so() -> None:
    (nothing,) = compiled(PolicyText())
    assert nothing.policy.network.allow_rules == ()
    assert nothing.notes == (NO_POLICY,)


def test_a_shadowed_policy_is_said_to_those_who_have_one() -> None:
    shadowed = PolicyText(path="cleanroom.yaml", text="version: 1\n", shadowed=True)
    first, second = compiled(shadowed, text())
    assert (first.notes, second.notes) == ((SHADOWED,), ())
    assert first.policy is second.policy


def test_a_wrong_text_is_wrong_each_time() -> None:
    async def work() -> None:
        policies = Policies()
        for _ in range(2):
            with pytest.raises(PolicyErrors):
                await policies.compile(text("version: 2\n"))
            with pytest.raises(PolicyErrors, match="none of them exists"):
                await policies.compile(text(REGISTRY))
            with pytest.raises(PolicyErrors, match=r"requirements\.txt:1:1"):
                await policies.compile(text(REGISTRY, requirements_txt="--what"))

    asyncio.run(work())


def test_the_cache_is_bounded_in_policies() -> None:
    others = [PolicyText(path=f"{number}.yaml", text="version: 1\n") for number in range(100)]
    made = compiled(text(), *others, text())
    assert made[0].policy is not made[-1].policy


def test_the_cache_is_bounded_in_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = text(REGISTRY, requirements_txt=PINNED), text(REGISTRY, requirements_txt="bar==1")
    first, _, again = compiled(one, two, one)
    assert first.policy is again.policy
    monkeypatch.setattr(module, "_CACHED_PINS", 1)
    first, _, again = compiled(one, two, one)
    assert first.policy is not again.policy


def test_lock_files_are_part_of_the_policy() -> None:
    pinned, same, loose = compiled(
        text(REGISTRY, requirements_txt=PINNED),
        text(REGISTRY, requirements_txt=PINNED),
        text(REGISTRY, requirements_txt="foo==1.0\n"),
    )
    assert pinned.policy is same.policy
    assert [pin.name for pin in pinned.policy.registries[0].artifact_allowlist] == ["foo"]
    assert pinned.policy.policy_hash != loose.policy.policy_hash
    assert pinned.notes == ()


def test_who_studies_a_policy_is_told_what_its_lock_files_lack() -> None:
    async def work() -> Compiled:
        policies = Policies()
        one = text(REGISTRY, requirements_txt=PINNED)
        studied = await policies.study(one)
        assert studied.policy is (await policies.compile(one)).policy
        return studied

    notes = asyncio.run(work()).notes
    assert notes == ("registries.pypi: **/uv.lock does not exist and pins nothing",)


def test_those_who_come_together_share_one_compilation() -> None:
    async def work() -> list[Compiled]:
        policies = Policies()
        one = text(REGISTRY, requirements_txt=PINNED)
        return list(await asyncio.gather(*(policies.compile(one) for _ in range(5))))

    assert len({id(each.policy) for each in asyncio.run(work())}) == 1


class Hindered(Readers):
    """The readers of both lanes: a quick look at a hostile text fails, a long one stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.is_at_work, self.may_end = asyncio.Event(), asyncio.Event()
        self.quick: list[str] = []
        self.slow: list[str] = []

    async def read_quickly(self, texts: Mapping[str, str]) -> Mapping[str, Outcome] | None:
        """Give up on what is hostile."""
        self.quick += texts.values()
        hostile = any(text.startswith("hostile") for text in texts.values())
        return None if hostile else await super().read_apart(texts)

    async def read_apart(self, texts: Mapping[str, str]) -> Mapping[str, Outcome]:
        """Take as long as the test says."""
        self.slow += texts.values()
        self.is_at_work.set()
        await self.may_end.wait()
        return await super().read_apart(texts)


HOSTILE = text(REGISTRY, requirements_txt="hostile==1")


def test_neither_what_is_known_nor_what_is_new_waits_for_a_hostile_file() -> None:
    async def work() -> None:
        policies, known = Policies(), text(REGISTRY, requirements_txt=PINNED)
        made = await policies.compile(known)
        policies.readers = reader = Hindered()
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            first = group.create_task(policies.compile(HOSTILE))
            await reader.is_at_work.wait()
            assert (await policies.compile(known)).policy is made.policy
            await policies.compile(text(REGISTRY, requirements_txt="new==1"))
            assert not first.done()
            reader.may_end.set()
        assert reader.quick == ["hostile==1", "new==1"]
        assert reader.slow == ["hostile==1"]

    asyncio.run(work())


def test_those_who_bring_the_same_slow_file_share_one_long_reading() -> None:
    async def work() -> None:
        policies, reader = Policies(), Hindered()
        policies.readers = reader
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            both = [group.create_task(policies.compile(HOSTILE)) for _ in range(2)]
            await reader.is_at_work.wait()
            reader.may_end.set()
        assert both[0].result().policy is both[1].result().policy
        assert reader.slow == ["hostile==1"]

    asyncio.run(work())


def test_names_and_texts_of_lock_files_do_not_run_into_each_other() -> None:
    first, second = compiled(
        text(REGISTRY, requirements_txt="foo==1\n#"),
        PolicyText(
            path="cleanroom.yaml", text=REGISTRY, lockfiles={"requirements.txt": "foo==1\n# "}
        ),
    )
    assert first.policy is not second.policy


def test_the_client_is_told_which_files_to_send() -> None:
    assert lockfiles_of(text(REGISTRY)) == ("**/uv.lock", "requirements.txt")
    assert lockfiles_of(PolicyText()) == ()
    with pytest.raises(PolicyErrors):
        lockfiles_of(text("version: 2\n"))


def test_what_an_agent_adds_is_enforced_and_not_what_is_approved() -> None:
    with_agent = PolicyText(path="cleanroom.yaml", text="version: 1\n", agent="claude/claude")
    plain, found, nothing = compiled(text(), with_agent, PolicyText(agent="claude/claude"))
    assert plain.policy is plain.written
    assert found.written == plain.policy
    assert [rule.value for rule in found.policy.network.allow_rules] == ["api.anthropic.com"]
    assert [each.secret_id for each in found.policy.secrets] == ["claude"]
    (note,) = found.notes
    assert note == "--agent adds the hosts and the secret of claude to this run"
    assert nothing.policy.secrets == found.policy.secrets
    assert nothing.written.network.allow_rules == ()
