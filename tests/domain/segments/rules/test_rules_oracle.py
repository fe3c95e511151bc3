"""A rule's one statement finds the same customers as a plain loop, and explains each of them the same."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import runs, segments, workspaces
from domain.access import Role, system
from tests.domain.segments.population import placements, recompute
from tests.domain.segments.rules.village import (
    AS_OF,
    GROUPS,
    OWNER,
    Known,
    Villager,
    documents,
    fits,
    move_in,
    villagers,
    with_ids,
)

THRICE = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


@st.composite
def _villages(draw: st.DrawFn) -> tuple[datetime, list[Villager], list[dict[str, Any]]]:
    as_of = draw(AS_OF)
    people = [draw(villagers(number, as_of)) for number in range(draw(st.integers(1, 9)))]
    return as_of, people, draw(st.lists(documents(as_of), min_size=1, max_size=6))


async def _known(
    workspace_id: int, as_of: datetime, ids: dict[str, int], owner_id: int, asked: Sequence[int]
) -> Known:
    placed = await placements(workspace_id)
    groups = await segments.segments_by_customer(workspace_id, list(ids.values()))
    members = {
        segment_id: {customer for customer, found in groups.items() if segment_id in {g.id for g in found}}
        for segment_id in asked
    }
    by_name = {name: placed[number] for name, number in ids.items() if number in placed}
    return Known(as_of, by_name, ids, members, owner_id)


@THRICE
@given(village=_villages())
async def test_rules_find_and_explain_what_a_plain_loop_does(
    database: str, village: tuple[datetime, list[Villager], list[dict[str, Any]]]
) -> None:
    as_of, people, rules = village
    workspace = await workspaces.create("Village", clock_at=as_of)
    who = system(workspace.id)
    owner = await workspaces.add_user(workspace.id, "O", "o@care.test", Role.EXECUTOR)
    ids = await move_in(workspace.id, people, owner.id)
    await recompute(who)
    named = {OWNER: owner.id}
    for key in GROUPS:
        group = await segments.find_by_key(workspace.id, key)
        assert group is not None
        named[key] = group.id
    known = await _known(workspace.id, as_of, ids, owner.id, [named[key] for key in GROUPS])
    for drawn in rules:
        document = with_ids(drawn, named)
        rule = segments.condition_of(document)
        assert segments.condition_of(segments.document_of(rule)) == rule
        wanted = [
            ids[each.person.name] for each in people if not each.person.excluded and fits(rule, each, known)
        ]
        shown = await segments.preview(who, document)
        assert [customer.id for customer in shown.sample] == wanted
        assert (shown.customers, shown.entering, shown.departing) == (len(wanted), len(wanted), 0)
    await _published_and_explained(who, document, people, ids, wanted)


async def _published_and_explained(
    who: Any, document: dict[str, Any], people: list[Villager], ids: dict[str, int], wanted: list[int]
) -> None:
    """The last rule becomes a segment: its members, and what is said of each customer, are the same."""
    segment, run = await segments.create(who, "RULE", name_en="Rule", rule=document)
    assert await runs.perform(run.id, "worker", 30)
    assert await segments.member_ids_after(who.workspace_id, segment.id, 0, 50) == wanted
    for each in people[:3]:
        number = ids[each.person.name]
        verdict = await segments.judge(who, segment.id, number)
        assert verdict.fits is (number in wanted) is (verdict.since is not None)
        assert verdict.lines[-1].threshold
