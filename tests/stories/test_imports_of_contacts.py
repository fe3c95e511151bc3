"""Past contacts and consents come in by the file: once each, only of known customers, and can be undone."""

from datetime import datetime

from domain.contacts import Consent, Interaction
from domain.customers import Customer
from tests.stories.importing import ended, faults, imported
from tests.stories.stage import Stage

CONTACTS = (
    "customer_id,occurred_at,channel,direction,result,note\n"
    "C-1,2025-02-01T10:00:00Z,PHONE,OUTBOUND,REACHED,=said yes\n"
    "C-1,2025-02-02T10:00:00Z,phone,OUTBOUND,NO_ANSWER,\n"
    "C-1,2025-02-01T10:00:00Z,PHONE,OUTBOUND,REACHED,again\n"
    "C-9,2025-02-01T10:00:00Z,PHONE,OUTBOUND,REACHED,\n"
    "C-1,2031-02-01T10:00:00Z,PHONE,OUTBOUND,REACHED,\n"
    "C-1,2025-02-01T10:00:00Z,PIGEON,OUTBOUND,REACHED,\n"
)
CONSENTS = (
    "customer_id,purpose,granted,source,stated_at\n"
    "C-1,MARKETING,true,fair,2025-01-01\n"
    "C-1,MARKETING,no,letter,2025-02-01\n"
    "C-1,SERVICE,maybe,letter,2025-02-01\n"
)
UNDO = (
    """mutation ($id: ID!) { importUndo(id: $id) { __typename ... on ImportUndoPayload { run { id } } } }"""
)
SAID = '{ customer(externalId: "C-1") { currentConsents { purpose granted } } }'


async def test_contacts_come_in_once_and_the_answered_ones_end_a_silence(stage: Stage) -> None:
    await imported(stage, "customers", "c.csv", "customer_id\nC-1\n")
    run = await imported(stage, "interactions", "i.csv", CONTACTS)
    assert (run["state"], run["figures"]["created"], run["figures"]["rejected"]) == ("SUCCEEDED", 2, 4)
    assert faults(run) == [
        (4, "customer_id", "DUPLICATE"),
        (5, "customer_id", "NOT_FOUND"),
        (6, "occurred_at", "INVALID"),
        (7, "channel", "INVALID"),
    ]
    customer = await Customer.get(external_id="C-1")
    assert customer.last_interaction_at == datetime.fromisoformat("2025-02-01T10:00:00Z")
    assert sorted([one.note for one in await Interaction.all()]) == ["", "=said yes"]
    again = await imported(stage, "interactions", "i.csv", CONTACTS)
    assert (again["figures"]["created"], again["figures"]["unchanged"]) == (0, 2)
    done = await stage.owner.do(UNDO, id=run["id"])
    undone = await ended(stage, stage.owner, done["run"]["id"])
    assert undone["figures"] == {"removed": 2, "restored": 0, "kept": 0}
    assert await Interaction.all().count() == 0
    assert (await Customer.get(external_id="C-1")).last_interaction_at is None


async def test_the_latest_imported_consent_holds(stage: Stage) -> None:
    await imported(stage, "customers", "c.csv", "customer_id\nC-1\n")
    for created in (2, 0):
        run = await imported(stage, "consents", "c.csv", CONSENTS)
        assert (run["figures"]["created"], faults(run)) == (created, [(4, "granted", "INVALID")])
    assert await Consent.all().count() == 2
    state = (await stage.owner.ask(SAID))["customer"]["currentConsents"]
    assert {"purpose": "MARKETING", "granted": False} in state
