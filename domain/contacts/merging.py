"""What two records of one customer agreed to: of the two, the stricter holds."""

from collections.abc import Iterable, Mapping
from typing import Any

from domain import customers, db, timekeeping
from domain.access import Principal
from domain.contacts.models import Channel, Consent, ContactPreference, Purpose
from domain.contacts.queries import holding
from domain.contacts.windows import MOST, Window, parse, spelt
from domain.customers import Fate, Settling, Value

SOURCE = "merge"
"""Where a refusal comes from that one of two records had given."""

customers.hand_over("consents", Fate.MOVES)
customers.hand_over("contact_decisions", Fate.MOVES)
customers.hand_over("contact_preferences", Fate.MOVES, unless=())
customers.hand_over("interactions", Fate.MOVES)
customers.hand_over("need_profiles", Fate.MOVES, unless=())

Terms = dict[str, Any]


async def foresee(workspace_id: int, kept: int, gone: int) -> list[Value]:
    """What each record agreed to and how it may be reached, where they differ, and what will hold."""
    said = await holding(workspace_id, {kept, gone}, list(Purpose))
    values = []
    for purpose in Purpose:
        ours, theirs = (said.get(each, {}).get(purpose) for each in (kept, gone))
        strict = _refused(ours, theirs) or ours or theirs
        if _word(ours) != _word(theirs):
            values.append(Value(f"consent.{purpose.value}", _word(ours), _word(theirs), _word(strict)))
    mine, other = [
        None if each is None else _terms(each) for each in await _preferences(workspace_id, kept, gone)
    ]
    if mine != other:
        joint = _joint(mine, other) if mine and other else mine or other
        for name in ("allowed", "refused", "windows"):
            words = [None if each is None else _listed(each[name]) for each in (mine, other, joint)]
            if words[0] != words[1]:
                values.append(Value(f"preference.{name}", words[0], words[1], words[2]))
    return values


async def settle(who: Principal, kept: int, gone: int) -> Mapping[str, Any]:
    """A refusal of either record stands, and a channel or hour holds that both of them welcome."""
    said = await holding(who.workspace_id, {kept, gone}, list(Purpose))
    refusals = []
    for purpose in Purpose:
        ours, theirs = (said.get(each, {}).get(purpose) for each in (kept, gone))
        refused = _refused(ours, theirs)
        if refused is None or ours is None or theirs is None or ours.granted is theirs.granted:
            continue
        granted = theirs if refused is ours else ours
        if (refused.stated_at, refused.id) > (granted.stated_at, granted.id):
            continue
        made = await Consent.create(
            workspace_id=who.workspace_id,
            customer_id=kept,
            purpose=purpose,
            granted=False,
            source=SOURCE,
            notice_version=refused.notice_version,
            stated_at=granted.stated_at,
            created_at=timekeeping.machine_now(),
        )
        refusals.append(made.id)
    mine, other = await _preferences(who.workspace_id, kept, gone)
    document: dict[str, Any] = {"refusals": refusals}
    if mine is not None and other is not None:
        before = _terms(mine)
        joint = _joint(before, _terms(other))
        if joint != before:
            await mine.must_change(**joint, updated_at=timekeeping.machine_now())
            document["preference"] = {"before": before, "after": joint}
    return document


async def unsettle(who: Principal, kept: int, gone: int, document: Mapping[str, Any]) -> list[str]:
    """Each record has its own terms again; a preference that was set since is left as it is."""
    await db.execute(
        """DELETE FROM consents
           WHERE workspace_id = :workspace AND customer_id = :kept AND id IN :refusals""",
        workspace=who.workspace_id,
        kept=kept,
        refusals=list(document["refusals"]),
    )
    if (told := document.get("preference")) is None:
        return []
    ours, _ = await _preferences(who.workspace_id, kept, gone)
    if ours is None or _terms(ours) != told["after"]:
        return ["how they may be reached has been changed since"]
    await ours.must_change(**told["before"], updated_at=timekeeping.machine_now())
    return []


customers.on_merge("contacts", Settling(foresee, settle, unsettle))


def _refused(*statements: Consent | None) -> Consent | None:
    return next((each for each in statements if each is not None and not each.granted), None)


def _word(statement: Consent | None) -> str | None:
    return None if statement is None else ("granted" if statement.granted else "refused")


def _listed(items: Iterable[Any]) -> str:
    return ", ".join(f"{item['from']}-{item['to']}" if isinstance(item, dict) else item for item in items)


async def _preferences(
    workspace_id: int, kept: int, gone: int
) -> tuple[ContactPreference | None, ContactPreference | None]:
    found = await ContactPreference.filter(workspace_id=workspace_id, customer_id__in=[kept, gone])
    by = {preference.customer_id: preference for preference in found}
    return by.get(kept), by.get(gone)


def _terms(preference: ContactPreference) -> Terms:
    return {name: list(getattr(preference, name)) for name in ("allowed", "refused", "windows")}


def _joint(ours: Terms, theirs: Terms) -> Terms:
    """What both terms allow, in the order of ours. Hours that never meet leave ours as they are."""
    every = [channel.value for channel in Channel]
    refused = [name for name in every if name in ours["refused"] or name in theirs["refused"]]
    welcome = [
        name
        for name in ours["allowed"] or theirs["allowed"]
        if name in (theirs["allowed"] or every) and name not in refused
    ]
    if (ours["allowed"] or theirs["allowed"]) and not welcome:
        refused = every  # an empty list of allowed channels would mean all of them
    return {"allowed": welcome, "refused": refused, "windows": _hours(ours["windows"], theirs["windows"])}


def _hours(ours: list[dict[str, str]], theirs: list[dict[str, str]]) -> list[dict[str, str]]:
    if not ours or not theirs:
        return ours or theirs
    mine, others = (_windows(each) for each in (ours, theirs))
    shared = [
        Window(start, end)
        for one in mine
        for other in others
        if (start := max(one.start, other.start)) < (end := min(one.end, other.end))
    ]
    return [{"from": spelt(each.start), "to": spelt(each.end)} for each in shared[:MOST]] or ours


def _windows(stored: list[dict[str, str]]) -> list[Window]:
    return list(parse([(each["from"], each["to"]) for each in stored]))
