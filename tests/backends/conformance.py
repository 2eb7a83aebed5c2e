"""One suite that judges every backend, the fake too: a backend's own test is a factory.

class TestThis(Conformance):
    def backend(self, folder): return ThisBackend(folder)

In: a Backend that can run /bin/sh (or acts as if). Each promise has its positive control: a backend
that runs nothing passes no test.
"""

import asyncio
import dataclasses
import signal
from abc import abstractmethod
from pathlib import Path

import pytest

from cleanroom.backends.base import Backend, Command, DoorSockets
from cleanroom.errors import Code, Fault, Refused
from cleanroom.policy.demands import Capability
from cleanroom.sandbox.spec import SandboxSpec
from tests.backends.machines import (
    ENVIRONMENT,
    BrokenDoor,
    KeptDoor,
    Said,
    run,
    shell,
    small_spec,
    started,
    within,
)


class WaitingDoor(KeptDoor):
    """A door that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.open = asyncio.Event()

    async def attach(self, sockets: DoorSockets) -> None:
        await super().attach(sockets)
        self.asked.set()
        await self.open.wait()


class Conformance:
    """The suite. It is collected in subclasses only, whose names begin with Test."""

    @abstractmethod
    def backend(self, folder: Path) -> Backend:
        """Return a new backend that keeps its state in `folder`."""

    def spec(self, folder: Path) -> SandboxSpec:
        """Return a sandbox that this backend can start."""
        return small_spec(folder)

    def said(self, folder: Path, command: Command) -> Said:
        """Start a sandbox, run one command in it, stop it."""

        async def scenario() -> Said:
            async with started(self.backend(folder), self.spec(folder)) as sandbox:
                return await run(sandbox, command)

        return within(20, scenario())

    def test_it_is_ready_and_says_with_what(self, short_path: Path) -> None:
        probe = within(5, self.backend(short_path).probe())
        assert probe.ready
        assert probe.runtime
        assert Capability.NETWORK_DEFAULT_DENY in probe.capabilities

    def test_what_is_not_proven_is_said(self, short_path: Path) -> None:
        probe = within(5, self.backend(short_path).probe())
        limits = {each for each in Capability if each.startswith("limit_")}
        for each in limits - probe.capabilities - {Capability.LIMIT_OUTPUT}:
            assert probe.missing[each]

    def test_a_command_runs_and_its_output_arrives(self, short_path: Path) -> None:
        assert self.said(short_path, shell("echo hello")) == Said(0, "hello\n")

    @pytest.mark.parametrize("code", [0, 1, 3, 255])
    def test_its_exit_code_arrives(self, short_path: Path, code: int) -> None:
        assert self.said(short_path, shell(f"exit {code}")).status == code

    def test_a_signal_that_ends_it_arrives_as_one(self, short_path: Path) -> None:
        assert self.said(short_path, shell("kill -9 $$")).status == 128 + signal.SIGKILL

    def test_a_program_that_does_not_exist_is_127(self, short_path: Path) -> None:
        command = Command(("/no/such/program",), ENVIRONMENT, "/workspace")
        assert self.said(short_path, command).status == 127

    def test_signals_reach_a_command(self, short_path: Path) -> None:
        async def scenario() -> int:
            async with started(self.backend(short_path), self.spec(short_path)) as sandbox:
                process = await sandbox.execute(
                    shell("trap 'exit 7' TERM; echo up; sleep 20 & wait")
                )
                async for _ in process.output():
                    await process.signal(signal.SIGTERM)
                return (await process.wait()).status

        assert within(20, scenario()) == 7

    def test_input_reaches_a_command(self, short_path: Path) -> None:
        async def scenario() -> str:
            async with started(self.backend(short_path), self.spec(short_path)) as sandbox:
                process = await sandbox.execute(shell("cat"))
                await process.write_stdin(b"through")
                await process.close_stdin()
                return b"".join([output.data async for output in process.output()]).decode()

        assert within(20, scenario()) == "through"

    def test_commands_run_beside_each_other(self, short_path: Path) -> None:
        async def scenario() -> list[Said]:
            async with started(self.backend(short_path), self.spec(short_path)) as sandbox:
                return list(
                    await asyncio.gather(*(run(sandbox, shell(f"echo {n}")) for n in range(8)))
                )

        assert within(20, scenario()) == [Said(0, f"{n}\n") for n in range(8)]

    def test_stop_ends_what_runs_and_may_be_called_again(self, short_path: Path) -> None:
        async def scenario() -> None:
            async with started(self.backend(short_path), self.spec(short_path)) as sandbox:
                process = await sandbox.execute(shell("cat"))
                await process.write_stdin(b"up")
                async for _ in process.output():
                    break
                await sandbox.stop()
                await sandbox.wait()
                await sandbox.stop()
                with pytest.raises(Fault) as caught:
                    await process.wait()
                assert caught.value.code is Code.BACKEND_TRANSPORT_ERROR
                assert sandbox.failure is None

        within(10, scenario())

    def test_a_stopped_sandbox_runs_no_command(self, short_path: Path) -> None:
        async def scenario() -> None:
            async with started(self.backend(short_path), self.spec(short_path)) as sandbox:
                await sandbox.stop()
                with pytest.raises(Fault) as caught:
                    await sandbox.execute(shell("true"))
                assert caught.value.code is Code.BACKEND_TRANSPORT_ERROR

        within(10, scenario())

    def test_what_is_not_proven_is_refused_before_anything_starts(self, short_path: Path) -> None:
        door = KeptDoor()
        needs = frozenset({Capability.ISOLATION_VM, Capability.NETWORK_DEFAULT_DENY})
        spec = dataclasses.replace(self.spec(short_path), needs=needs)
        with pytest.raises(Refused, match="isolation_vm") as caught:
            within(10, self.backend(short_path).start(spec, door))
        assert caught.value.code is Code.BACKEND_CAPABILITY_MISMATCH
        assert door.sockets is None

    def test_nothing_starts_before_the_door_is_attached(self, short_path: Path) -> None:
        async def scenario() -> bool:
            door = WaitingDoor()
            backend = self.backend(short_path)
            await backend.probe()
            try:
                async with asyncio.TaskGroup() as group:
                    starting = group.create_task(backend.start(self.spec(short_path), door))
                    await door.asked.wait()
                    early = starting.done()
                    door.open.set()
                await starting.result().stop()
            finally:
                door.close()
            return early

        assert within(10, scenario()) is False

    def test_a_door_that_cannot_be_attached_starts_nothing(self, short_path: Path) -> None:
        with pytest.raises(Fault) as caught:
            within(10, self.backend(short_path).start(self.spec(short_path), BrokenDoor()))
        assert caught.value.code is Code.GATEWAY_LOST

    def test_reclaiming_what_was_never_there_is_nothing(self, short_path: Path) -> None:
        within(5, self.backend(short_path).reclaim("sbx_never"))

    def test_its_timings_and_limits_are_told(self, short_path: Path) -> None:
        async def scenario() -> None:
            async with started(self.backend(short_path), self.spec(short_path)) as sandbox:
                assert sandbox.timings.ready_ms is not None
                assert all(sandbox.limited.values())
                await sandbox.refresh()
                assert (await run(sandbox, shell("echo still"))).text == "still\n"

        within(10, scenario())
