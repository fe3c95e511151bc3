"""Records what customers wish, what they agreed to and what was said, and decides planned contacts."""

from collections.abc import Sequence
from datetime import UTC, datetime

from domain import customers, db, journal, timekeeping, workspaces
from domain.access import Principal
from domain.contacts.decisions import Request, answers
from domain.contacts.models import (
    Channel,
    Consent,
    ContactDecision,
    ContactPreference,
    ContactResult,
    Direction,
    Interaction,
    Purpose,
    Verdict,
)
from domain.contacts.windows import parse, spelt
from domain.errors import Conflict, Invalid, NotFound, Required
from domain.journal import Entry

LONGEST_NOTE = 4000


async def set_preference(
    who: Principal,
    customer_id: int,
    allowed: Sequence[Channel],
    refused: Sequence[Channel],
    windows: Sequence[tuple[str, str]],
    expected_version: int | None = None,
) -> ContactPreference:
    """How a customer may be reached from now on; what stood before is replaced (S0-98).

    An empty `allowed` means every channel not refused; all refused: nothing may be sent. No windows:
    any time. `expected_version` 0 says that nothing was set before.
    """
    both = [channel.value for channel in allowed if channel in refused]
    if both:
        raise Invalid(f"{', '.join(both)} cannot be both allowed and refused", field="input.refused")
    values = {
        "allowed": [channel.value for channel in dict.fromkeys(allowed)],
        "refused": [channel.value for channel in dict.fromkeys(refused)],
        "windows": [{"from": spelt(window.start), "to": spelt(window.end)} for window in parse(windows)],
    }
    now = timekeeping.machine_now()
    async with db.transaction():
        await _must_exist(who, customer_id)
        made = not expected_version and await db.insert_many(
            "contact_preferences",
            [
                {
                    "workspace_id": who.workspace_id,
                    "version": 1,
                    "customer_id": customer_id,
                    "updated_at": now,
                    **{name: db.encode(value) for name, value in values.items()},
                }
            ],
            then="ON CONFLICT (workspace_id, customer_id) DO NOTHING",
            returning="id",
        )
        preference = await ContactPreference.get_or_none(
            workspace_id=who.workspace_id, customer_id=customer_id
        )
        if preference is None:
            raise Conflict("this customer has set no preference yet", field="expectedVersion")
        if not made:
            preference.expect(expected_version)
            await preference.must_change(**values, updated_at=now)
        await journal.write(who, Entry("contact_preference.set", preference.id, customer_id=customer_id))
    return preference


async def record_consent(
    who: Principal,
    customer_id: int,
    purpose: Purpose,
    granted: bool,
    source: str,
    notice_version: str,
    stated_at: datetime,
) -> Consent:
    """Add what a customer said about a purpose (S2-66).

    Statements are never overwritten: the one with the latest `stated_at` holds.
    """
    if not source.strip():
        raise Required("say where the statement comes from", field="input.source")
    _must_be_short("source", source, 64)
    _must_be_short("noticeVersion", notice_version, 64)
    stated_at = await _past(who.workspace_id, "statedAt", stated_at)
    async with db.transaction():
        await _must_exist(who, customer_id)
        consent = await Consent.create(
            workspace_id=who.workspace_id,
            customer_id=customer_id,
            purpose=purpose,
            granted=granted,
            source=source,
            notice_version=notice_version,
            stated_at=stated_at,
            created_at=timekeeping.machine_now(),
        )
        data = {"purpose": purpose.value, "granted": granted}
        await journal.write(who, Entry("consent.recorded", consent.id, customer_id=customer_id, data=data))
    return consent


async def record_interaction(
    who: Principal,
    customer_id: int,
    channel: Channel,
    direction: Direction,
    personal: bool,
    result: ContactResult,
    note: str,
    occurred_at: datetime,
    staff_id: int | None = None,
) -> Interaction:
    """Add a contact that took place (S2-44), by the caller where no `staff_id` is given.

    Where the customer took part (they began it, or were reached) their silence ends then.
    """
    _must_be_short("note", note, LONGEST_NOTE)
    occurred_at = await _past(who.workspace_id, "occurredAt", occurred_at)
    if staff_id is not None and await workspaces.find_staff(who.workspace_id, staff_id) is None:
        raise NotFound("no such member of staff", field="input.staffId")
    async with db.transaction():
        await _must_exist(who, customer_id)
        interaction = await Interaction.create(
            workspace_id=who.workspace_id,
            customer_id=customer_id,
            channel=channel,
            direction=direction,
            personal=personal,
            result=result,
            note=note,
            staff_id=who.user_id if staff_id is None else staff_id,
            occurred_at=occurred_at,
            created_at=timekeeping.machine_now(),
        )
        if direction is Direction.INBOUND or result is ContactResult.REACHED:
            await customers.note_interaction(who.workspace_id, customer_id, occurred_at)
        data = {
            "channel": channel.value,
            "direction": direction.value,
            "result": result.value,
            "personal": personal,
            "occurred_at": occurred_at.isoformat(),
        }
        await journal.write(
            who, Entry("interaction.recorded", interaction.id, customer_id=customer_id, data=data)
        )
    return interaction


async def plan(who: Principal, requests: Sequence[Request]) -> list[ContactDecision]:
    """Ask the contact policy about contacts to come and keep its answers, in the order asked.

    Every planned contact passes here. One batch is a constant number of statements, in the caller's
    transaction; the journal line tells of the batch.

    Raises:
        NotFound: a customer is not of this workspace; nothing is stored.
    """
    if not requests:
        return []
    async with db.transaction():
        records = await answers(who, requests)
        stored = [{**record, "reasons": db.encode(record["reasons"])} for record in records]
        made = await db.insert_many("contact_decisions", stored, returning="id")
        # Ids rise in the order of the VALUES; the order of RETURNING is not promised.
        ids = sorted(row["id"] for row in made)
        refused = sum(record["verdict"] == Verdict.REFUSED.value for record in records)
        alone = requests[0].customer_id if len(requests) == 1 else None
        data = {"count": len(ids), "refused": refused}
        await journal.write(who, Entry("contact_decision.made", ids[0], customer_id=alone, data=data))
    return db.hydrate(ContactDecision, [{"id": i, **record} for i, record in zip(ids, stored, strict=True)])


def _must_be_short(name: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise Invalid(f"{name} has at most {longest} characters", field=f"input.{name}")


async def _past(workspace_id: int, name: str, at: datetime) -> datetime:
    """The instant in UTC, which may be now but not later."""
    if at > await timekeeping.now(workspace_id):
        raise Invalid(f"{name} is in the future", field=f"input.{name}")
    return at.astimezone(UTC)


async def _must_exist(who: Principal, customer_id: int) -> None:
    await customers.living(who, customer_id)
