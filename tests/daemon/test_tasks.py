"""Owned tasks: none is an orphan, none ends another."""

import asyncio
import logging

import pytest

from cleanroom.daemon.tasks import Tasks


def test_a_failing_task_leaves_the_others_alone_and_its_traceback_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    async def fail() -> None:
        raise ValueError

    async def succeed() -> None:
        await asyncio.sleep(0)
        done.append("done")

    async def conversation() -> None:
        tasks = Tasks()
        tasks.start(fail(), "the failing one")
        tasks.start(succeed(), "the other")
        await tasks.close(grace_s=1)
        assert len(tasks) == 0

    with caplog.at_level(logging.ERROR):
        asyncio.run(conversation())
    assert done == ["done"]
    assert "the failing one" in caplog.text
    assert "ValueError" in caplog.text


def test_close_ends_what_does_not_end_by_itself() -> None:
    async def conversation() -> None:
        tasks = Tasks()
        waiting = tasks.start(asyncio.Event().wait(), "waiting")  # type: ignore[arg-type]
        await tasks.close()
        assert waiting.cancelled()
        late = tasks.start(asyncio.Event().wait(), "late")  # type: ignore[arg-type]
        await tasks.close()
        assert late.cancelled()

    asyncio.run(conversation())
