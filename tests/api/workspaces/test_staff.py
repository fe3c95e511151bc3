"""Staff and teams through the API: who may, what is refused, and that a key ends with its bearer."""

import asyncio
from typing import Any

import pytest

from api.ids import global_id
from domain import workspaces
from domain.access import ADMINS, Principal, Role
from domain.journal import JournalLine
from domain.workspaces import ApiKey, BadCredential, Team, User
from tests.api.conftest import Ask, ask_for_result
from tests.conftest import House, build_house
from tests.security.rows import differences, snapshot

REFUSED = "... on Refusal { userErrors { code field } current { id ... on User { version } ... on Team { version } } }"
USER = "user { id name email role active version teams { name } }"
TEAM = "team { id name version members { id } }"


def _document(name: str, declared: str, passed: str, shown: str) -> str:
    payload = f"{name[0].upper()}{name[1:]}Payload"
    return f"mutation ({declared}) {{ {name}({passed}) {{ __typename ... on {payload} {{ {shown} }} {REFUSED} }} }}"


WITH_ID = "$id: ID!, $seen: Int", "id: $id, expectedVersion: $seen"
CHANGE = "$id: ID!, $input: {}!, $seen: Int", "id: $id, input: $input, expectedVersion: $seen"
DOCUMENTS = {
    "userCreate": _document("userCreate", "$input: UserCreateInput!", "input: $input", USER),
    "userUpdate": _document("userUpdate", CHANGE[0].format("UserUpdateInput"), CHANGE[1], USER),
    "userDeactivate": _document("userDeactivate", *WITH_ID, USER),
    "userReactivate": _document("userReactivate", *WITH_ID, USER),
    "teamCreate": _document("teamCreate", "$input: TeamCreateInput!", "input: $input", TEAM),
    "teamUpdate": _document("teamUpdate", CHANGE[0].format("TeamUpdateInput"), CHANGE[1], TEAM),
}
NEW = {"name": "Mei", "email": "mei@care.test", "role": "EXECUTOR"}


class Staff:
    """Calls the mutations as somebody."""

    def __init__(self, ask: Ask, house: House) -> None:
        self.ask, self.house = ask, house

    def id(self, role: Role) -> str:
        return global_id("User", self.house.staff[role].id)

    async def do(self, name: str, who: Principal | None = None, **given: Any) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.ask(DOCUMENTS[name], who or self.house.admin, **given))[name]
        return answer

    async def done(self, name: str, who: Principal | None = None, **given: Any) -> dict[str, Any]:
        answer = await self.do(name, who, **given)
        assert answer["__typename"] != "Refusal", answer
        found: dict[str, Any] = answer.get("user") or answer["team"]
        return found

    async def refused(self, name: str, who: Principal | None = None, **given: Any) -> list[tuple[str, str]]:
        """The reasons; and nothing has happened."""
        before = await snapshot()
        answer = await self.do(name, who, **given)
        assert answer["__typename"] == "Refusal", answer
        assert differences(before, await snapshot()) == {}
        return [(reason["code"], ".".join(reason["field"])) for reason in answer["userErrors"]]


@pytest.fixture
def staff(ask: Ask, house: House) -> Staff:
    return Staff(ask, house)


async def lines(*names: str) -> list[tuple[str, int, str, Any]]:
    """The journal's lines of these names: what, about whom, by whom."""
    found = await JournalLine.filter(name__in=names).order_by("id")
    return [(line.name, line.subject_id, line.actor, line.data) for line in found]


async def key_of(house: House, role: Role) -> str:
    made = await workspaces.create_key(house.owner, name="k", role=role, user_id=house.staff[role].user_id)
    return f"Bearer {made.secret}"


async def test_somebody_new_is_added_to_their_teams_and_told_of_once(staff: Staff, house: House) -> None:
    team = await Team.get(workspace_id=house.id)
    before = await JournalLine.all().count()
    given = {**NEW, "name": "  Mei ", "teamIds": [global_id("Team", team.id)] * 2}
    made = await staff.done("userCreate", input=given)
    assert made == {**NEW, "id": made["id"], "active": True, "version": 1, "teams": [{"name": "Care"}]}
    user = await User.get(email="mei@care.test")
    assert user.workspace_id == house.id
    assert (await lines("user.added"))[-1] == ("user.added", user.id, house.admin.label, {"role": "EXECUTOR"})
    assert await JournalLine.all().count() == before + 1
    assert "mei" not in str(await lines("user.added")).lower()


async def test_a_change_of_role_counts_at_once_for_keys_that_are_out(staff: Staff, house: House) -> None:
    bearer = await key_of(house, Role.PLANNER)
    changed = await staff.done(
        "userUpdate", id=staff.id(Role.PLANNER), input={"role": "ANALYST", "name": "An"}, seen=1
    )
    assert (changed["role"], changed["name"], changed["version"]) == ("ANALYST", "An", 2)
    assert (await workspaces.authenticate(bearer)).role is Role.ANALYST
    user = house.staff[Role.PLANNER].id
    expected = [("user.changed", user, house.admin.label, {"fields": ["name", "role"], "role": "ANALYST"})]
    assert await lines("user.changed") == expected
    # The same again, and nothing at all, change nothing.
    for given in ({"role": "ANALYST", "name": "An"}, {}, {"name": None, "role": None, "email": None}):
        again = await staff.done("userUpdate", id=staff.id(Role.PLANNER), input=given)
        assert again["version"] == 2
    assert await lines("user.changed") == expected


async def test_who_leaves_has_no_key_any_more_and_old_keys_do_not_come_back(
    staff: Staff, house: House
) -> None:
    bearer, other = await key_of(house, Role.EXECUTOR), await key_of(house, Role.PLANNER)
    assert (await workspaces.authenticate(bearer)).role is Role.EXECUTOR
    gone = await staff.done("userDeactivate", id=staff.id(Role.EXECUTOR), seen=1)
    assert (gone["active"], gone["version"]) == (False, 2)
    with pytest.raises(BadCredential):
        await workspaces.authenticate(bearer)
    assert (await workspaces.authenticate(other)).role is Role.PLANNER
    key = await ApiKey.get(workspace_id=house.id, user_id=house.staff[Role.EXECUTOR].id)
    assert key.revoked_at is not None and key.version == 2
    names = ("user.deactivated", "api_key.revoked", "user.reactivated")
    told = [(name, subject) for name, subject, _, _ in await lines(*names)]
    user = house.staff[Role.EXECUTOR].id
    assert told == [("user.deactivated", user), ("api_key.revoked", key.id)]
    # Told again nothing changes; and whoever comes back needs a new key.
    assert (await staff.done("userDeactivate", id=staff.id(Role.EXECUTOR)))["version"] == 2
    back = await staff.done("userReactivate", id=staff.id(Role.EXECUTOR), seen=2)
    assert (back["active"], back["version"], back["teams"]) == (True, 3, [{"name": "Care"}])
    assert (await staff.done("userReactivate", id=staff.id(Role.EXECUTOR)))["version"] == 3
    with pytest.raises(BadCredential):
        await workspaces.authenticate(bearer)
    assert len(await lines(*names)) == 3
    assert (await workspaces.authenticate(await key_of(house, Role.EXECUTOR))).role is Role.EXECUTOR


async def test_the_last_active_owner_stays_one(staff: Staff, house: House) -> None:
    me, owner = staff.id(Role.OWNER), house.owner
    assert await staff.refused("userDeactivate", owner, id=me) == [("INVALID", "id")]
    assert await staff.refused("userUpdate", owner, id=me, input={"role": "ADMIN"}) == [
        ("INVALID", "input.role")
    ]
    second = await staff.done("userCreate", owner, input={**NEW, "role": "OWNER"})
    # One who has left does not count.
    await staff.done("userDeactivate", owner, id=second["id"])
    assert await staff.refused("userDeactivate", owner, id=me) == [("INVALID", "id")]
    await staff.done("userReactivate", owner, id=second["id"])
    assert (await staff.done("userUpdate", owner, id=me, input={"role": "ADMIN"}))["role"] == "ADMIN"
    assert await staff.refused("userDeactivate", owner, id=second["id"]) == [("INVALID", "id")]


async def test_of_two_owners_who_remove_each_other_at_once_one_stays(staff: Staff, house: House) -> None:
    second = await staff.done("userCreate", house.owner, input={**NEW, "role": "OWNER"})
    for round_ in range(3):
        told = await asyncio.gather(
            staff.do("userDeactivate", house.owner, id=staff.id(Role.OWNER)),
            staff.do("userUpdate", house.owner, id=second["id"], input={"role": "SUPPORT"}),
        )
        assert sorted(one["__typename"] == "Refusal" for one in told) == [False, True], round_
        assert await User.filter(workspace_id=house.id, role=Role.OWNER, active=True).count() == 1
        await User.filter(email__in=["mei@care.test", "owner@care.test"]).update(role=Role.OWNER, active=True)


async def test_an_admin_makes_and_touches_no_owner(staff: Staff, house: House) -> None:
    await staff.done("userCreate", house.owner, input={**NEW, "role": "OWNER"})
    owner = staff.id(Role.OWNER)
    given = {**NEW, "email": "x@care.test", "role": "OWNER"}
    assert await staff.refused("userCreate", input=given) == [("FORBIDDEN", "input.role")]
    for id_ in (staff.id(Role.ADMIN), staff.id(Role.PLANNER)):
        told = await staff.refused("userUpdate", id=id_, input={"role": "OWNER"})
        assert told == [("FORBIDDEN", "input.role")]
    for given in ({"role": "ADMIN"}, {"name": "Mine"}, {"email": "mine@care.test"}):
        assert await staff.refused("userUpdate", id=owner, input=given) == [("FORBIDDEN", "id")]
    assert await staff.refused("userDeactivate", id=owner) == [("FORBIDDEN", "id")]
    await staff.done("userDeactivate", house.owner, id=owner)
    assert await staff.refused("userReactivate", id=owner) == [("FORBIDDEN", "id")]


@pytest.mark.parametrize("role", [role for role in Role if role not in ADMINS])
async def test_nobody_else_changes_staff_or_teams(staff: Staff, house: House, role: Role) -> None:
    who, id_ = house.staff[role], staff.id(Role.SUPPORT)
    team = global_id("Team", house.owner.team_ids[0])
    calls: dict[str, dict[str, Any]] = {
        "userCreate": {"input": NEW},
        "userUpdate": {"id": staff.id(role), "input": {"role": "ADMIN"}},
        "userDeactivate": {"id": id_},
        "userReactivate": {"id": id_},
        "teamCreate": {"input": {"name": "Night"}},
        "teamUpdate": {"id": team, "input": {"name": "Night"}},
    }
    before = await snapshot()
    for name, given in calls.items():
        result = await ask_for_result(DOCUMENTS[name], who, given)
        assert [error.extensions["code"] for error in result.errors] == ["FORBIDDEN"], name
    assert differences(before, await snapshot()) == {}


async def test_all_that_is_wrong_with_staff_is_told_at_once(staff: Staff, house: House) -> None:
    wrong = {"name": " ", "email": "nobody", "role": "OWNER", "teamIds": ["nonsense"]}
    assert await staff.refused("userCreate", input=wrong) == [
        ("REQUIRED", "input.name"),
        ("INVALID", "input.email"),
        ("FORBIDDEN", "input.role"),
        ("NOT_FOUND", "input.teamIds"),
    ]
    wrong = {"name": "x" * 121, "email": "owner@care.test", "role": "OWNER"}
    assert await staff.refused("userUpdate", id=staff.id(Role.PLANNER), input=wrong) == [
        ("INVALID", "input.name"),
        ("FORBIDDEN", "input.role"),
        ("DUPLICATE", "input.email"),
    ]
    wrong = {"name": "Care", "memberIds": [staff.id(Role.OWNER), "nonsense"]}
    expected = [("DUPLICATE", "input.name"), ("NOT_FOUND", "input.memberIds")]
    assert await staff.refused("teamCreate", input=wrong) == expected
    night = await staff.done("teamCreate", input={"name": "Night"})
    assert await staff.refused("teamUpdate", id=night["id"], input=wrong) == expected
    assert await staff.refused("teamUpdate", id=night["id"], input={"name": ""}) == [
        ("REQUIRED", "input.name")
    ]


async def test_an_address_is_one_persons_also_after_they_left(staff: Staff, house: House) -> None:
    other = await build_house("Other")
    await staff.done("userCreate", input=NEW)
    assert await staff.refused("userCreate", input=NEW) == [("DUPLICATE", "input.email")]
    await User.filter(email=NEW["email"]).update(active=False)
    assert await staff.refused("userCreate", input=NEW) == [("DUPLICATE", "input.email")]
    theirs = (await staff.ask(DOCUMENTS["userCreate"], other.admin, input=NEW))["userCreate"]
    assert theirs["user"]["email"] == NEW["email"]


async def test_ten_at_once_with_one_address_are_one(staff: Staff, house: House) -> None:
    told = await asyncio.gather(*(staff.do("userCreate", input=NEW) for _ in range(10)))
    assert sorted(one["__typename"] for one in told) == ["Refusal"] * 9 + ["UserCreatePayload"]
    assert await User.filter(email=NEW["email"]).count() == 1
    told = await asyncio.gather(*(staff.do("teamCreate", input={"name": "Night"}) for _ in range(10)))
    assert sorted(one["__typename"] for one in told) == ["Refusal"] * 9 + ["TeamCreatePayload"]


@pytest.mark.parametrize("name", ["userUpdate", "userDeactivate", "userReactivate", "teamUpdate"])
async def test_what_has_changed_meanwhile_is_a_conflict_with_it_as_it_is(
    staff: Staff, house: House, name: str
) -> None:
    if name == "teamUpdate":
        id_ = global_id("Team", house.owner.team_ids[0])
        await Team.filter(id=house.owner.team_ids[0]).update(version=5)
    else:
        id_ = staff.id(Role.SUPPORT)
        await User.filter(id=house.staff[Role.SUPPORT].id).update(version=5)
    given = {"input": {"name": "Other"}} if "Update" in name else {}
    before = await snapshot()
    told = await staff.do(name, id=id_, seen=4, **given)
    assert told["userErrors"] == [{"code": "CONFLICT", "field": ["expectedVersion"]}]
    assert told["current"] == {"id": id_, "version": 5}
    assert differences(before, await snapshot()) == {}


async def test_staff_and_teams_of_another_workspace_are_not_there(staff: Staff, house: House) -> None:
    other = await build_house("Other")
    user = global_id("User", other.staff[Role.PLANNER].id)
    team = global_id("Team", other.owner.team_ids[0])
    for name in ("userDeactivate", "userReactivate"):
        assert await staff.refused(name, id=user) == [("NOT_FOUND", "id")]
    assert await staff.refused("userUpdate", id=user, input={"name": "Ours"}) == [("NOT_FOUND", "id")]
    assert await staff.refused("teamUpdate", id=team, input={"name": "Ours"}) == [("NOT_FOUND", "id")]
    told = await staff.refused("userCreate", input={**NEW, "teamIds": [team]})
    assert told == [("NOT_FOUND", "input.teamIds")]
    told = await staff.refused("teamCreate", input={"name": "Night", "memberIds": [user]})
    assert told == [("NOT_FOUND", "input.memberIds")]


async def test_a_team_is_given_its_members_as_a_set(staff: Staff, house: House) -> None:
    planner, lead, executor = (staff.id(r) for r in (Role.PLANNER, Role.TEAM_LEAD, Role.EXECUTOR))
    made = await staff.done("teamCreate", input={"name": "Night", "memberIds": [planner, lead, planner]})
    assert [member["id"] for member in made["members"]] == [lead, planner]
    changed = await staff.done(
        "teamUpdate", id=made["id"], input={"name": "Late", "memberIds": [lead, executor]}, seen=1
    )
    assert (changed["name"], changed["version"]) == ("Late", 2)
    assert [member["id"] for member in changed["members"]] == [lead, executor]
    numbers = {role: house.staff[role].id for role in (Role.PLANNER, Role.TEAM_LEAD, Role.EXECUTOR)}
    assert [data for _, _, _, data in await lines("team.added", "team.changed")] == [
        {"joined": sorted([numbers[Role.PLANNER], numbers[Role.TEAM_LEAD]])},
        {"fields": ["name"], "joined": [numbers[Role.EXECUTOR]], "left": [numbers[Role.PLANNER]]},
    ]
    # Left out, null and the same stay as they are; an empty list is nobody.
    for given in ({}, {"memberIds": None}, {"memberIds": [executor, lead], "name": "Late"}):
        assert (await staff.done("teamUpdate", id=made["id"], input=given))["version"] == 2
    assert (await staff.done("teamUpdate", id=made["id"], input={"memberIds": []}))["members"] == []
    care = await workspaces.teams_of(house.id, house.staff[Role.PLANNER].id)
    assert care == house.owner.team_ids


async def test_who_has_left_is_in_no_team_but_comes_back_to_theirs(staff: Staff, house: House) -> None:
    planner, lead = staff.id(Role.PLANNER), staff.id(Role.TEAM_LEAD)
    team = await staff.done("teamCreate", input={"name": "Night", "memberIds": [planner, lead]})
    await staff.done("userDeactivate", id=planner)
    told = await staff.refused("teamUpdate", id=team["id"], input={"memberIds": [planner]})
    assert told == [("NOT_FOUND", "input.memberIds")]
    shown = await staff.done("teamUpdate", id=team["id"], input={"memberIds": [lead]})
    assert ([member["id"] for member in shown["members"]], shown["version"]) == ([lead], 1)
    await staff.done("userReactivate", id=planner)
    shown = await staff.done("teamUpdate", id=team["id"], input={})
    assert [member["id"] for member in shown["members"]] == [lead, planner]
