"""The main path through the real application, with a fake backend."""

from pathlib import Path

from tests.daemon.daemons import Setting, play, running


def test_a_command_runs_and_its_exit_code_comes_back(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("exit", "3")
            assert run["state"] == "running"
            done = await daemon.finished(run)
            assert (done["state"], done["exit_code"]) == ("failed", 3)

    play(conversation())


def test_the_owner_sees_output_then_the_exit(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("echo", "hello", detach=False)
            async with daemon.attach(run) as socket:
                assert await socket.receive_bytes() == b"\x01hello\n"
                last = await socket.receive_json()
            assert last["type"] == "exit"
            assert last["run"]["exit_code"] == 0

    play(conversation())
