"""A stream may live for weeks: of an event that was told nothing is kept."""

import gc

from graphql.execution.collect_fields import FieldDetails

from domain import runs
from domain.db import transaction
from domain.journal import Entry, write
from tests.api.test_live import Hall, hall
from tests.conftest import House

__all__ = ["hall"]
MANY = "subscription { runChanged { cursor run { " + " ".join(f"a{n}: id" for n in range(25)) + " } } }"


def collected() -> int:
    """How many fields of operations, as they were collected for execution, are held by anybody."""
    gc.collect()
    return sum(type(each) is FieldDetails for each in gc.get_objects())


async def test_a_stream_keeps_nothing_of_the_events_it_has_told(hall: Hall, house: House) -> None:
    run = await runs.enqueue(house.admin, "segmentation_recompute")
    await hall.numbered()
    listening = await hall.listen(await hall.caller(), MANY)
    first = await hall.waits(listening)

    async def progressed(times: int) -> None:
        async with transaction():
            await write(house.admin, *[Entry("run.progressed", run.id) for _ in range(times)])
        await hall.numbered()

    await progressed(5)
    cursors = {(await first)["data"]["runChanged"]["cursor"]}
    cursors |= {(await listening.hear())["data"]["runChanged"]["cursor"] for _ in range(4)}
    before = collected()
    await progressed(50)
    cursors |= {(await listening.hear())["data"]["runChanged"]["cursor"] for _ in range(50)}
    assert len(cursors) == 55
    # What the event under way holds, at either moment; not 25 fields of each of the fifty.
    assert collected() - before <= 2 * 27
