"""Output over REST: from any byte, the last lines, since a time, days after the end."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.daemon.daemons import Daemon, Json, Setting, execution_path, play, running
from tests.fakes import FakeClock

LIMITS = "limits:\n  kept_output: 64KiB\n  output_window: 64KiB\n  output_on_disk: 1MiB\n"


def text_of(lines: list[Json], stream: int = 1) -> str:
    """Return what a stream's lines say."""
    return "".join(line["text"] for line in lines if line.get("stream") == stream)


async def forget(daemon: Daemon, run: Json) -> None:
    """Let go of the memory of a finished run, as time does."""
    daemon.host.recent._kept.pop(run["execution_id"])


def test_more_than_memory_keeps_is_read_while_and_after_it_runs(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path, config_text=LIMITS)) as daemon:
            run = await daemon.run("flood", "600000")
            path = f"{execution_path(run)}/output"
            live = await daemon.lines(f"{path}?follow=true")
            assert len(text_of(live)) == 600_000
            await daemon.finished(run)
            await forget(daemon, run)
            past = await daemon.lines(path)
            assert text_of(past) == text_of(live)
            assert past[-1]["execution"]["stdout_bytes"] == 600_000
            assert past[-1]["run"]["id"] == run["id"]
            (last, _) = await daemon.lines(f"{path}?stdout_from=599999")
            assert (last["offset"], len(last["text"])) == (599_999, 1)

    play(conversation())


def test_beyond_the_bound_the_newest_is_kept_and_the_gap_said(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path, config_text=LIMITS)) as daemon:
            run = await daemon.run("flood", "5000000")
            await daemon.finished(run)
            await forget(daemon, run)
            gap, *lines = await daemon.lines(f"{execution_path(run)}/output")
            assert (gap["type"], gap["offset"]) == ("gap", 0)
            assert gap["missing"] + len(text_of(lines)) == 5_000_000
            assert len(text_of(lines)) > 700_000

    play(conversation())


def test_what_is_no_longer_kept_at_all_is_a_gap_too(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("echo", "hello")
            await daemon.finished(run)
            await forget(daemon, run)
            await asyncio.to_thread(shutil.rmtree, daemon.host.outputs.folder(run["execution_id"]))
            gap, last = await daemon.lines(f"{execution_path(run)}/output")
            assert (gap["type"], gap["missing"], last["type"]) == ("gap", 6, "exit")

    play(conversation())


def test_output_survives_the_daemon(short_path: Path) -> None:
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("echo", "hello")
            owned = await daemon.run("echo", "owned", detach=False)
            await daemon.lines(f"{execution_path(owned)}/output?follow=true")
            await daemon.finished(run)
        async with running(Setting(short_path)) as daemon:
            for each, text in ((run, "hello\n"), (owned, "owned\n")):
                assert text_of(await daemon.lines(f"{execution_path(each)}/output")) == text

    play(conversation())


@pytest.mark.parametrize("late", [False, True])
def test_the_last_lines(short_path: Path, late: bool) -> None:  # noqa: FBT001
    async def conversation() -> None:
        async with running(Setting(short_path)) as daemon:
            run = await daemon.run("lines", "a", "b", "c")
            await daemon.finished(run)
            if late:
                await forget(daemon, run)
            path = f"{execution_path(run)}/output"
            assert text_of(await daemon.lines(f"{path}?tail=2")) == "b\nc\n"
            assert text_of(await daemon.lines(f"{path}?tail=0")) == ""
            assert text_of(await daemon.lines(f"{path}?tail=1&stdout_from=5")) == "\n"

    play(conversation())


def test_since_a_time_or_so_long_ago(short_path: Path) -> None:
    async def conversation() -> None:
        clock = FakeClock()
        async with running(Setting(short_path, clock=clock)) as daemon:
            run = await daemon.run("cat", stdin=True)
            path = execution_path(run)
            for number, word in enumerate((b"early\n", b"late\n")):
                async with daemon.http.post(f"http://d{path}/stdin", data=word) as response:
                    assert response.status == 204
                await asyncio.wait_for(daemon.until_output(run, (6, 11)[number]), 30)
                await clock.advance(60)
            # the clock stands at 120 s after its beginning, 2026-01-01T00:16:40Z
            for since in ("90s", "2026-01-01T00:17:30Z", "2026-01-01T00:17:30%2B00:00"):
                lines = await daemon.lines(f"{path}/output?since={since}")
                assert text_of(lines) == "late\n"
                assert lines[0]["time"] == "2026-01-01T00:17:40.000Z"
            for wrong in ("yesterday", "2026-01-01T00:17:30", "-5s", "2026"):
                status, _ = await daemon.ask("GET", f"{path}/output?since={wrong}")
                assert status == 400

    play(conversation())
