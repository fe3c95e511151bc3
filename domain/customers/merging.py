"""Two records that are one customer become one, can be looked at before, and become two again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain import db, journal, timekeeping
from domain.access import Principal
from domain.customers import handing, totals
from domain.customers.handing import Value
from domain.customers.models import Customer, CustomerMerge, ExclusionReason, MergeState
from domain.errors import Conflict, DomainError, ErrorCode, Invalid, NotFound, Problem
from domain.journal import Entry

Profile = dict[str, Any]


class MergeField(StrEnum):
    """What of a profile one record may take from the other."""

    NAME = "NAME"
    COMPANY = "COMPANY"
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    OWNER = "OWNER"


_COLUMNS = {
    MergeField.NAME: "name",
    MergeField.COMPANY: "company",
    MergeField.PHONE: "phone",
    MergeField.EMAIL: "email",
    MergeField.OWNER: "owner_id",
}


@dataclass(frozen=True)
class MergePreview:
    """What a merge would do: the values on which the records differ, and how many rows would go over."""

    values: list[Value]
    counts: dict[str, int]


async def preview(
    who: Principal, into_id: int, from_id: int, take: Collection[MergeField] = ()
) -> MergePreview:
    """What merging the second record into the first would do; nothing is changed.

    Raises:
        Conflict, Invalid: what `merge` would refuse.
    """
    kept, gone = await _both(who, into_id, from_id)
    becomes = _becoming(kept, gone, take)
    values = [
        Value(name, _text(mine), _text(theirs), _text(becomes.get(name, mine)))
        for name in (*_COLUMNS.values(), *_STANDING)
        if (mine := getattr(kept, name)) != (theirs := getattr(gone, name))
    ]
    for settling in handing.SETTLINGS.values():
        values += await settling.foresee(who.workspace_id, kept.id, gone.id)
    return MergePreview(values, await handing.counts(who.workspace_id, kept.id, gone.id))


async def merge(
    who: Principal,
    into_id: int,
    from_id: int,
    *,
    take: Collection[MergeField] = (),
    expected_version: int | None = None,
) -> CustomerMerge:
    """Make the second record part of the first.

    The first keeps its own values, gets the other's where it has none or where `take` says so, and all
    that was recorded of the other. The other stays as it was, counts no longer, and says where it went;
    what comes later under its key goes to the first.
    """
    async with db.transaction():
        await _alone(who.workspace_id, into_id, from_id)
        kept, gone = await _both(who, into_id, from_id)
        kept.expect(expected_version)
        now = await timekeeping.now(who.workspace_id)
        becomes = _becoming(kept, gone, take)
        made = await CustomerMerge.create(
            workspace_id=who.workspace_id,
            kept_id=kept.id,
            gone_id=gone.id,
            before={
                "excluded": gone.excluded,
                "profile": {name: [_plain(getattr(kept, name)), _plain(to)] for name, to in becomes.items()},
                "settled": {
                    name: dict(await settling.settle(who, kept.id, gone.id))
                    for name, settling in handing.SETTLINGS.items()
                },
            },
            counts=await handing.counts(who.workspace_id, kept.id, gone.id),
            actor=who.label,
            merged_at=now,
        )
        await handing.move(who.workspace_id, made.id, kept.id, gone.id)
        await kept.must_change(**becomes, updated_at=now)
        await gone.must_change(excluded=True, merged_into_id=kept.id, updated_at=now)
        await totals.recompute(who.workspace_id, [kept.id, gone.id])
        told = {"merge": made.id, "into": kept.id, "from": gone.id}
        await journal.write(
            who,
            Entry("customer.merged", kept.id, kept.id, data=told),
            Entry(
                "customer.excluded", gone.id, gone.id, data={"reason": ExclusionReason.MERGED.value, **told}
            ),
        )
    return made


async def undo(
    who: Principal, merge_id: int, *, keep_changed: bool = False, expected_version: int | None = None
) -> CustomerMerge:
    """Make two records of one again, each with what it had; what was recorded since stays where it is.

    What the merge gave and somebody has changed since cannot be brought back without losing that change:
    all of it is named and nothing is done, unless `keep_changed` says to leave it as it is now.
    """
    async with db.transaction():
        made = await CustomerMerge.load(who.workspace_id, merge_id)
        made.expect(expected_version)
        if made.state is MergeState.UNDONE:
            raise Conflict("this merge has been undone already", field="id", current=made)
        await _alone(who.workspace_id, made.kept_id, made.gone_id)
        kept = await Customer.load(who.workspace_id, made.kept_id)
        gone = await Customer.load(who.workspace_id, made.gone_id)
        if kept.merged_into_id is not None:
            raise Conflict(
                "the record that was kept has been merged into another since; undo that first", field="id"
            )
        changed = [
            f"{rows} rows of {place} are no longer at the record that was kept"
            for place, rows in (await handing.move_back(who.workspace_id, made.id, kept.id, gone.id)).items()
        ]
        for name, document in made.before["settled"].items():
            changed += await handing.SETTLINGS[name].unsettle(who, kept.id, gone.id, document)
        back: Profile = {}
        for name, (was, became) in made.before["profile"].items():
            if _plain(getattr(kept, name)) == became:
                back[name] = _stored(was) if name in _STANDING else was
            elif name not in _MOVING:
                changed.append(f"{name} has been changed since")
        if changed and not keep_changed:
            raise DomainError.of([Problem(ErrorCode.CONFLICT, text, ("id",)) for text in changed])
        now = await timekeeping.now(who.workspace_id)
        await kept.must_change(**back, updated_at=now)
        await gone.must_change(excluded=made.before["excluded"], merged_into_id=None, updated_at=now)
        await totals.recompute(who.workspace_id, [kept.id, gone.id])
        await made.must_change({"state": MergeState.MERGED}, state=MergeState.UNDONE, undone_at=now)
        told = {"merge": made.id, "into": kept.id, "from": gone.id}
        entries = [Entry("customer.separated", each, each, data=told) for each in (kept.id, gone.id)]
        if not gone.excluded:
            entries.append(Entry("customer.included", gone.id, gone.id))
        await journal.write(who, *entries)
    return made


async def living(who: Principal, customer_id: int, field: str = "customerId") -> Customer:
    """A customer of whom something is to be recorded now; until then nobody merges them away.

    Raises:
        NotFound: there is none here.
        Conflict: the record was merged into another, which comes with it.
    """
    if db.is_postgres() and db.in_transaction():
        await db.rows(
            "SELECT id FROM customers WHERE workspace_id = :workspace AND id = :customer FOR KEY SHARE",
            workspace=who.workspace_id,
            customer=customer_id,
        )
    found = await Customer.find(who.workspace_id, customer_id)
    if found is None:
        raise NotFound("no such customer", field=field)
    if found.merged_into_id is not None:
        raise merged_away(await Customer.load(who.workspace_id, found.merged_into_id), field)
    return found


def merged_away(into: Customer, field: str) -> Conflict:
    """The refusal of a change to a record that was merged into another."""
    return Conflict(
        "this record has been merged into another: that one is current", field=field, current=into
    )


_MOVING = ("last_interaction_at", "registered_at")
"""What goes on by itself after a merge: changed since, it is right as it is."""
_STANDING = ("registered_at", "cancelled_at", "last_interaction_at")


def _becoming(kept: Customer, gone: Customer, take: Collection[MergeField]) -> Profile:
    """The values that the record that is kept gets, where they differ from its own.

    The earlier registration and the later interaction hold of both. A goodbye holds only if nothing has
    come from the customer since.
    """
    becomes: Profile = {}
    for field, name in _COLUMNS.items():
        theirs, mine = getattr(gone, name), getattr(kept, name)
        if theirs is not None and theirs != mine and (mine is None or field in take):
            becomes[name] = theirs
    if gone.registered_at < kept.registered_at:
        becomes["registered_at"] = gone.registered_at
    seen = kept.last_interaction_at
    if gone.last_interaction_at and (seen is None or gone.last_interaction_at > seen):
        becomes["last_interaction_at"] = seen = gone.last_interaction_at
    if kept.cancelled_at is None and gone.cancelled_at and (seen is None or seen <= gone.cancelled_at):
        becomes["cancelled_at"] = gone.cancelled_at
    return becomes


async def _both(who: Principal, into_id: int, from_id: int) -> tuple[Customer, Customer]:
    if into_id == from_id:
        raise Invalid("a record is not merged into itself", field="from")
    found = []
    for field, customer_id in (("into", into_id), ("from", from_id)):
        customer = await Customer.find(who.workspace_id, customer_id)
        if customer is None:
            raise NotFound("no such customer", field=field)
        if customer.merged_into_id is not None:
            raise merged_away(await Customer.load(who.workspace_id, customer.merged_into_id), field)
        found.append(customer)
    kept, gone = found
    if kept.excluded:
        raise Invalid("a record that is left out of every figure takes in no other", field="into")
    return kept, gone


async def _alone(workspace_id: int, *customer_ids: int) -> None:
    """Hold both records alone: who is about to point a row to one of them waits, and then finds the other."""
    if db.is_postgres():
        await db.rows(
            """SELECT id FROM customers WHERE workspace_id = :workspace AND id IN :customers
               ORDER BY id FOR UPDATE""",
            workspace=workspace_id,
            customers=sorted(customer_ids),
        )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _stored(value: Any) -> Any:
    return None if value is None else db.instant_of(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(_plain(value))
