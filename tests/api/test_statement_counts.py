"""A page of fifty costs as many statements as a page of five, however deep it is asked."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from tortoise.connection import get_connections

from domain import customers, db, runs, segments, tasks
from domain.contacts import Channel
from domain.tasks import Draft, TaskKind
from tests.api.conftest import Ask
from tests.conftest import NOON, House

DEEP_CUSTOMERS = """query ($first: Int!) { customers(first: $first) { totalCount nodes {
  id externalId name tags owner { name } orderTotal { amount }
  lifecycleStage valueLevel strategyCell { count } rfm { tier rRank } segments { key }
  orders(first: 3) { totalCount nodes { id amount { amount } customer { externalId } } }
  tasks(first: 2, where: {state: {eq: OPEN}}) { totalCount nodes { id title escalations { rung } } }
  timeline(first: 2) { nodes { event } } contactPreference { allowed } interactions(first: 2) { nodes { channel } }
  visitQuota { required done } memberships(first: 2) { nodes { enteredAt segment { key } } } } } }"""
DEEP_TASKS = """query ($first: Int!) { tasks(first: $first) { totalCount nodes { id title overdue
  sla { state remainingSeconds } customer { externalId rfm { tier } owner { name } }
  assignee { name } team { name } campaign { name } contactDecision { verdict } escalations { rung } } } }"""


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that is sent while the block lasts, from the mapper and from our own."""
    client = type(get_connections().get(db.dialect()))
    sent: list[str] = []
    with monkeypatch.context() as patch:
        for name in ("execute_query", "execute_query_dict", "execute_insert", "raw_rows"):
            real = getattr(client, name)

            async def spy(self: Any, query: str, *args: Any, real: Any = real, **kwargs: Any) -> Any:
                sent.append(query)
                return await real(self, query, *args, **kwargs)

            patch.setattr(client, name, spy)
        yield sent


@pytest.fixture
async def filled(house: House) -> AsyncIterator[House]:
    for n in range(55):
        customer, _ = await customers.upsert(
            house.admin, f"C{n:03}", name=f"N{n}", tags=["a", f"t{n % 3}"], owner_id=house.admin.user_id
        )
        for m in range(n % 4):
            await customers.record_order(
                house.admin,
                f"O{n}-{m}",
                customer_id=customer.id,
                ordered_at=NOON - timedelta(days=m),
                amount_minor=100,
            )
        await tasks.create(
            house.admin,
            Draft(
                kind=TaskKind.GENERAL,
                customer_id=customer.id,
                title="Call",
                dedupe_key=f"k{n}",
                due_at=NOON + timedelta(days=1),
                contact_at=NOON,
                channel=Channel.PHONE,
                assignee_id=house.admin.user_id,
            ),
        )
    run = await segments.recompute(house.admin)
    assert await runs.perform(run.id, "test", 30)
    yield house


@pytest.mark.one_path
@pytest.mark.parametrize("document", [DEEP_CUSTOMERS, DEEP_TASKS], ids=["customers", "tasks"])
async def test_a_page_of_fifty_costs_as_many_statements_as_one_of_five(
    filled: House, ask: Ask, document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {}
    for first in (5, 50):
        with counted(monkeypatch) as sent:
            data = await ask(document, first=first)
        (page,) = data.values()
        assert len(page["nodes"]) == first
        counts[first] = len(sent)
    assert counts[50] == counts[5]
    assert 0 < counts[5] < 40
