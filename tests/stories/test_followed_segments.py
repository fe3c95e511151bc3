"""Segments follow what happens to single customers, tell who comes and goes, and agree with the recompute."""

from datetime import timedelta
from decimal import Decimal

from domain.access import Role
from tests.conftest import NOON
from tests.stories.conftest import Open
from tests.stories.documents import CUSTOMER_UPSERT
from tests.stories.population import Buyer, enter, recompute
from tests.stories.stage import Stage, shanghai
from tests.stories.test_rule_segments import INSTALL, RECOMPUTE_ONE, members, order
from tests.stories.test_saved_rules import made

FEED = (
    "query ($after: String) { feed(after: $after, topics: [SEGMENTS], first: 50) "
    "{ head nodes { change topic objectId } } }"
)
FRESH = (
    "query ($key: String!) { segment(key: $key) { id freshness { quick stale waiting asOf exactAsOf entered left "
    "run { id kind } } } }"
)
MOVES = (
    "query ($key: String!, $run: ID!, $way: SegmentWay!) { run(id: $run) { segmentMoves(key: $key, "
    "way: $way, first: 5) { totalCount nodes { leftAt customer { externalId } } } } }"
)
STAGES = "{ customers(first: 9) { nodes { externalId lifecycleStage } } }"


async def test_an_order_brings_its_customer_in_and_time_takes_them_out(stage: Stage) -> None:
    planner = stage[Role.PLANNER]
    await enter(stage, [Buyer("ONE", 90, 1, Decimal(10)), Buyer("TWO", 90, 1, Decimal(10))], NOON)
    recent = {"orders": {"count": {"gte": 1}, "window": {"days": 30}}}
    segment = await made(planner, "RECENT", recent)
    await made(planner, "OTHERS", {"not": {"member": {"segmentId": segment}}})
    await stage.settle()
    head = (await planner.ask(FEED))["feed"]["head"]

    await order(stage, "O-1", "ONE", orderedAt=NOON.isoformat())
    await stage.settle()
    assert (await members(planner, "RECENT"), await members(planner, "OTHERS")) == (["ONE"], ["TWO"])
    fresh = (await planner.ask(FRESH, key="RECENT"))["segment"]["freshness"]
    assert (fresh["quick"], fresh["stale"], fresh["waiting"], fresh["entered"]) == (True, False, 0, 1)
    assert fresh["run"]["kind"] == "segments_follow"
    told = [node["change"] for node in (await planner.ask(FEED, after=head))["feed"]["nodes"]]
    assert told == ["segment.published", "segment.entered", "segment.published", "segment.left"]
    (moved,) = (await planner.ask(MOVES, key="RECENT", run=fresh["run"]["id"], way="ENTERED"))["run"][
        "segmentMoves"
    ]["nodes"]
    assert moved == {"leftAt": None, "customer": {"externalId": "ONE"}}
    gone = await planner.ask(MOVES, key="RECENT", run=fresh["run"]["id"], way="LEFT")
    assert gone["run"]["segmentMoves"] == {"totalCount": 0, "nodes": []}

    # Nothing happens to ONE any more: that time has passed is seen by the look at everybody.
    await stage.advance(NOON + timedelta(days=31))
    assert await members(planner, "RECENT") == ["ONE"]
    stale = (await planner.ask(FRESH, key="RECENT"))["segment"]["freshness"]
    assert stale["stale"] is True
    done = await planner.do(RECOMPUTE_ONE, id=segment)
    await planner.finish(done["run"]["id"])
    await stage.settle()
    assert (await members(planner, "RECENT"), await members(planner, "OTHERS")) == ([], ["ONE", "TWO"])
    fresh = (await planner.ask(FRESH, key="RECENT"))["segment"]["freshness"]
    assert (fresh["quick"], fresh["stale"], fresh["left"]) == (False, False, 1)
    assert fresh["asOf"] == fresh["exactAsOf"]


async def test_a10_the_rule_of_silence_agrees_with_the_stage_to_the_second(stage_at: Open) -> None:
    start = shanghai("2025-02-28 09:59:59")
    async with stage_at(start) as stage:
        planner = stage[Role.PLANNER]
        for name, at in (("A", "2024-09-03 10:00:00"), ("B", "2024-08-31 10:00:00")):
            await stage.owner.do(
                CUSTOMER_UPSERT, input={"externalId": name, "registeredAt": shanghai(at).isoformat()}
            )
        await planner.do(INSTALL, key="SILENT")
        for at, silent in (
            (start, []),
            (start + timedelta(seconds=1), ["B"]),
            (shanghai("2025-03-03 09:59:59"), ["B"]),
            (shanghai("2025-03-03 10:00:00"), ["A", "B"]),
        ):
            if at > start:
                await stage.advance(at)
            await recompute(stage)
            await stage.settle()
            placed = (await stage.owner.ask(STAGES))["customers"]["nodes"]
            assert [e["externalId"] for e in placed if e["lifecycleStage"] == "SILENT"] == silent
            assert await members(planner, "SILENT") == silent
        # Whoever is heard of again leaves at once, without anybody else being looked at.
        await order(stage, "O-1", "A", orderedAt=shanghai("2025-03-03 10:00:00").isoformat())
        await stage.settle()
        assert await members(planner, "SILENT") == ["B"]
