"""Who a customer is: created and changed by the client's own key."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from domain import db, journal, texts, timekeeping, workspaces
from domain.access import Principal
from domain.customers import rules, tagging
from domain.customers.merging import merged_away
from domain.customers.models import Customer, ExclusionReason
from domain.customers.rows import create_customers, customer_row, homes, insert_new
from domain.customers.rules import UNSET, Absent
from domain.errors import Conflict, Invalid, NotFound, Reasons, Required
from domain.journal import Entry

_CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": lambda value: texts.text(value, "name", 200),
    "company": lambda value: texts.text(value, "company", 200),
    "phone": rules.phone,
    "email": texts.email,
    "registered_at": lambda value: rules.instant(value, "registeredAt"),
}


async def upsert(
    who: Principal,
    external_id: str,
    *,
    name: str | Absent | None = UNSET,
    company: str | Absent | None = UNSET,
    phone: str | Absent | None = UNSET,
    email: str | Absent | None = UNSET,
    owner_id: int | Absent | None = UNSET,
    registered_at: datetime | Absent = UNSET,
    tags: Iterable[str] | Absent = UNSET,
    synthetic: bool | Absent = UNSET,
    expected_version: int | None = None,
) -> tuple[Customer, bool]:
    """Create or change the customer with this external id; with it, whether they are new.

    What is left out stays as it is, null removes. `expected_version` 0 means: only if there is none
    yet. The same values again change nothing and write no journal line. Values that will not do are
    refused together.
    """
    values: dict[str, Any] = {
        "name": name,
        "company": company,
        "phone": phone,
        "email": email,
        "owner_id": owner_id,
        "registered_at": registered_at,
        "synthetic": synthetic,
    }
    reasons, wanted = Reasons(), None
    with reasons.gathered():
        key = rules.external_id(external_id)
    given = await checked(
        who, {field: value for field, value in values.items() if value is not UNSET}, reasons
    )
    with reasons.gathered():
        wanted = None if isinstance(tags, Absent) else rules.tags(tags)
    reasons.refuse()
    async with db.transaction():
        now = await timekeeping.now(who.workspace_id)
        made = await insert_new("customers", [customer_row(who.workspace_id, key, now, **given)], "id")
        if made:
            customer = await Customer.get(id=made[0]["id"])
            if expected_version:
                raise Conflict(
                    f"expected version {expected_version}, there is no such customer", field="expectedVersion"
                )
            changed = sorted(given)
        else:
            customer = await Customer.select_for_update().get(workspace_id=who.workspace_id, external_id=key)
            if customer.merged_into_id is not None:
                into = await Customer.load(who.workspace_id, customer.merged_into_id)
                raise merged_away(into, "externalId")
            customer.expect(expected_version)
            changed = sorted(name for name, value in given.items() if getattr(customer, name) != value)
        if wanted is not None and await tagging.replace(who.workspace_id, {customer.id: wanted}):
            changed.append("tags")
        if not made:
            if not changed:
                return customer, False
            columns = {name: value for name, value in given.items() if name in changed}
            await customer.must_change(**columns, updated_at=now)
        entry = Entry(
            "customer.upserted", customer.id, customer.id, data={"created": bool(made), "fields": changed}
        )
        await journal.write(who, entry)
    return customer, bool(made)


async def checked(who: Principal, given: Mapping[str, Any], reasons: Reasons) -> dict[str, Any]:
    """What was given about a customer, as it is stored; whatever will not do is added to the reasons."""
    good = dict(given)
    for field, check in _CHECKS.items():
        if given.get(field) is not None:
            with reasons.gathered():
                good[field] = check(given[field])
    with reasons.gathered():
        if "registered_at" in given and given["registered_at"] is None:
            raise Required("registeredAt cannot be removed", field="registeredAt")
    with reasons.gathered():
        owner = given.get("owner_id")
        if owner is not None:
            await _check_owner(who.workspace_id, owner)
    return good


async def share_out(who: Principal, owner_ids: Sequence[int]) -> int:
    """Give each customer without an owner to one of these, in turn; how many were given.

    One statement and one journal line, however many they are. Doing it again gives only who is new.
    """
    if not owner_ids:
        raise Required("name those who look after the customers", field="ownerIds")
    turns = " ".join(f"WHEN {turn} THEN CAST(:owner{turn} AS bigint)" for turn in range(len(owner_ids)))
    async with db.transaction():
        for owner_id in owner_ids:
            await _check_owner(who.workspace_id, owner_id)
        given = await db.execute(
            f"""UPDATE customers SET owner_id = CASE id % {len(owner_ids)} {turns} END,
                  version = version + 1, updated_at = :now
                WHERE workspace_id = :workspace AND owner_id IS NULL""",
            now=await timekeeping.now(who.workspace_id),
            workspace=who.workspace_id,
            **{f"owner{turn}": owner_id for turn, owner_id in enumerate(owner_ids)},
        )
        if given:
            data = {"customers": given, "owner_ids": list(owner_ids)}
            await journal.write(who, Entry("customers.shared_out", who.workspace_id, data=data))
    return given


async def _check_owner(workspace_id: int, owner_id: int) -> None:
    if await workspaces.find_staff(workspace_id, owner_id) is None:
        raise NotFound("no such member of staff", field="ownerId")


async def set_excluded(
    who: Principal,
    customer_id: int,
    excluded: bool,
    expected_version: int | None = None,
    *,
    reason: ExclusionReason = ExclusionReason.OTHER,
) -> Customer:
    """Take a test, merged or anonymised record out of every ranking, or back in (C-08).

    Why it was taken out is in the journal: a word of a closed set, since there nothing personal may stand.
    """
    async with db.transaction():
        customer = await Customer.load(who.workspace_id, customer_id)
        customer.expect(expected_version)
        if customer.merged_into_id is not None:
            raise merged_away(await Customer.load(who.workspace_id, customer.merged_into_id), "id")
        if customer.excluded != excluded:
            await customer.must_change(excluded=excluded, updated_at=await timekeeping.now(who.workspace_id))
            name = "customer.excluded" if excluded else "customer.included"
            data = {"reason": reason.value} if excluded else None
            await journal.write(who, Entry(name, customer.id, customer.id, data=data))
    return customer


async def cancel_relationship(
    who: Principal, customer_id: int, at: datetime | None = None, expected_version: int | None = None
) -> Customer:
    """Record that the customer has said goodbye, now or then (C-20). The first date given stands."""
    at = await timekeeping.now(who.workspace_id) if at is None else rules.instant(at, "cancelledAt")
    async with db.transaction():
        customer = await Customer.load(who.workspace_id, customer_id)
        customer.expect(expected_version)
        if customer.cancelled_at is None:
            await customer.must_change(
                {"cancelled_at": None}, cancelled_at=at, updated_at=await timekeeping.now(who.workspace_id)
            )
            await journal.write(who, Entry("customer.cancelled", customer.id, customer.id, at=at))
    return customer


async def resolve(
    who: Principal,
    customer_id: int | None,
    customer_external_id: str | None,
    *,
    create_since: datetime | None = None,
) -> int:
    """The id of the customer that a caller names by either key; of a merged record, where it went.

    With `create_since`, an unknown external id becomes a customer registered then.
    """
    if (customer_id is None) == (customer_external_id is None):
        raise Invalid("name the customer by id or by external id", field="customer")
    if customer_id is not None:
        home = (await homes(who.workspace_id, [customer_id], by="id")).get(customer_id)
        return home or (await Customer.load(who.workspace_id, customer_id)).id
    key = rules.external_id(customer_external_id or "", "customerExternalId")
    if create_since is None:
        known = await homes(who.workspace_id, [key])
        if key not in known:
            raise NotFound("no such customer", field="customerExternalId")
        return known[key]
    now = await timekeeping.now(who.workspace_id)
    ids, created = await create_customers(who.workspace_id, {key: create_since}, now)
    if created:
        data = {"created": True, "fields": ["registered_at"]}
        await journal.write(who, Entry("customer.upserted", ids[key], ids[key], data=data))
    return ids[key]
