"""Notices reach everyone attached, from the first on."""

import asyncio

from cleanroom.api.streams import NoteLine
from cleanroom.daemon.notices import Notices
from tests.fakes import settle


def test_a_late_client_is_told_everything_then_the_end() -> None:
    async def conversation() -> None:
        notices = Notices()
        notices.add(NoteLine(text="one"))
        waiting = asyncio.get_running_loop().create_task(notices.changed())
        await settle()
        assert not waiting.done()
        notices.add(NoteLine(text="two"))
        await waiting
        assert [line.text for line in notices.since(1) if isinstance(line, NoteLine)] == ["two"]
        notices.end()
        assert notices.ended

    asyncio.run(conversation())


def test_the_number_of_notices_is_bounded() -> None:
    notices = Notices()
    for number in range(5000):
        notices.add(NoteLine(text=str(number)))
    assert len(notices.since(0)) == 1000


def test_what_is_added_before_the_waiting_task_runs_wakes_it() -> None:
    async def conversation() -> None:
        notices = Notices()
        waiting = asyncio.get_running_loop().create_task(notices.changed())
        notices.add(NoteLine(text="one"))  # the task has not run yet
        await asyncio.wait_for(waiting, 1)

    asyncio.run(conversation())
