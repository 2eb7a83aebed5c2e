"""Files of policies: made once for a policy, in a thread, and never too many."""

import asyncio
import errno
import gc
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cleanroom.daemon import policy_files
from cleanroom.daemon.policy_files import PolicyFiles
from cleanroom.errors import Code, Refused
from cleanroom.gateway.handover import policy_file, read_policy
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import CompiledPolicy, RegistryPolicy


def held(count: int = 1) -> CompiledPolicy:
    pins = tuple(ArtifactPin(f"a{each}", "1", digests=("sha512:00",)) for each in range(count))
    npm = RegistryPolicy("npm", enabled=True, allowed_hosts=("h.test",), artifact_allowlist=pins)
    return CompiledPolicy("sha256:0", "", registries=(npm,))


def descriptors() -> int:
    gc.collect()  # what others left is closed now, and not while it is counted
    return len(list(Path("/proc/self/fd").iterdir()))


def identity(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    os.close(descriptor)
    return found.st_dev, found.st_ino


def test_a_policy_with_pins_is_written_once_and_others_as_often_as_they_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def conversation() -> None:
        before = descriptors()
        files, policy = PolicyFiles(), held()
        first, again = await files.file(policy), await files.file(policy)
        assert read_policy(os.dup(first)).pins("h.test") != ()
        assert identity(first) == identity(again)
        # Of an equal hash, but its lock file may say it in other lines.
        assert identity(await files.file(replace(policy))) != identity(await files.file(policy))
        plain = CompiledPolicy("sha256:0", "")
        assert identity(await files.file(plain)) != identity(await files.file(plain))
        monkeypatch.setattr(policy_files, "_MOST", 1)
        os.close(await files.file(held()))
        monkeypatch.setattr(policy_files, "_MOST_BYTES", 1)
        os.close(await files.file(held()))
        assert descriptors() == before
        files.close()
        os.close(await files.file(held()))
        assert descriptors() == before

    asyncio.run(conversation())


@pytest.mark.parametrize("fails", [False, True])
def test_it_is_made_while_others_go_on_and_kept_for_whoever_asks_again(
    monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(policy: CompiledPolicy) -> int:
        begun.set()
        assert go_on.wait(60)
        if fails:
            raise OSError
        return policy_file(policy)

    async def conversation() -> None:
        loop = asyncio.get_running_loop()
        files, before, policy = PolicyFiles(), descriptors(), held()
        asked = [loop.create_task(files.file(policy))]
        assert await asyncio.to_thread(begun.wait, 60)
        asked[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked[0]
        go_on.set()
        await loop.shutdown_default_executor()
        await asyncio.sleep(0)
        assert descriptors() == before + (not fails)
        if not fails:
            os.close(await files.file(policy))  # no thread is left that could make it
        files.close()
        assert descriptors() == before

    monkeypatch.setattr(policy_files, "policy_file", slowly)
    asyncio.run(conversation())


def test_two_that_are_made_at_once_leave_one() -> None:
    async def conversation() -> None:
        before = descriptors()
        files, policy = PolicyFiles(), held()
        for each in await asyncio.gather(files.file(policy), files.file(policy)):
            os.close(each)
        assert descriptors() == before + 1
        files.close()
        assert descriptors() == before

    asyncio.run(conversation())


def test_what_the_gateway_would_not_read_is_refused_and_other_faults_are_not_renamed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = [errno.EFBIG, errno.ENOMEM]

    def fails(_: CompiledPolicy) -> int:
        raise OSError(numbers.pop(0), "it fails")

    monkeypatch.setattr(policy_files, "policy_file", fails)
    with pytest.raises(Refused, match="pin too much") as caught:
        asyncio.run(PolicyFiles().file(held()))
    assert caught.value.code == Code.RESOURCE_LIMIT
    with pytest.raises(OSError, match="it fails"):
        asyncio.run(PolicyFiles().file(held()))
