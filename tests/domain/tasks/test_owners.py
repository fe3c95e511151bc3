"""Work that opens by itself goes to whoever looks after the customer; work for nobody stays nobody's."""

from dataclasses import replace
from datetime import timedelta

from domain import customers, db, tasks, workspaces
from domain.access import Role
from domain.contacts import Channel
from domain.tasks import Draft, Task, TaskKind
from domain.workspaces.models import User
from tests.conftest import NOON, House

DUE = NOON + timedelta(days=1)


async def customer(house: House, name: str, owner_id: int | None) -> int:
    made, _ = await customers.upsert(house.admin, name, owner_id=owner_id)
    return int(made.id)


def draft(customer_id: int, key: str, **more: object) -> Draft:
    made = Draft(
        kind=TaskKind.GENERAL,
        customer_id=customer_id,
        title="Call",
        dedupe_key=key,
        due_at=DUE,
        contact_at=NOON,
        channel=Channel.PHONE,
    )
    return replace(made, **more)  # type: ignore[arg-type]


async def doing(house: House) -> dict[str, tuple[int | None, int | None]]:
    found = await Task.filter(workspace_id=house.id)
    return {task.dedupe_key: (task.assignee_id, task.team_id) for task in found}


async def test_a_first_touch_and_a_call_back_are_the_owners(house: House) -> None:
    eva = house.staff[Role.EXECUTOR]
    owned, free = await customer(house, "C-1", eva.user_id), await customer(house, "C-2", None)
    async with db.transaction():
        for number, who in enumerate((owned, free)):
            await tasks.open_first_touch(house.admin, lead_id=number, customer_id=who, acquired_at=NOON)
            await tasks.open_callback(house.admin, order_id=number, customer_id=who, delivered_at=NOON)
    theirs = (eva.user_id, eva.team_ids[0])
    assert await doing(house) == {
        "first_touch:0": theirs,
        "callback:0": theirs,
        "first_touch:1": (None, None),
        "callback:1": (None, None),
    }


async def test_what_is_somebodys_already_or_made_for_nobody_stays_so(house: House) -> None:
    eva, team = house.staff[Role.EXECUTOR], await workspaces.add_team(house.id, "Other")
    owned = await customer(house, "C-1", eva.user_id)
    async with db.transaction():
        await tasks.open_many(
            house.admin,
            [
                draft(owned, "assigned", assignee_id=house.admin.user_id),
                draft(owned, "team's", team_id=team.id),
                draft(owned, "free"),
            ],
        )
    await tasks.create(house.admin, draft(owned, "made by hand"))
    assert await doing(house) == {
        "assigned": (house.admin.user_id, None),
        "team's": (None, team.id),
        "free": (eva.user_id, eva.team_ids[0]),
        "made by hand": (None, None),
    }


async def test_nothing_is_given_to_who_has_left(house: House) -> None:
    eva = house.staff[Role.EXECUTOR]
    owned = await customer(house, "C-1", eva.user_id)
    await User.filter(id=eva.user_id).update(active=False)
    async with db.transaction():
        await tasks.open_many(house.admin, [draft(owned, "free")])
    assert await doing(house) == {"free": (None, None)}
