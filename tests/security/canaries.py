"""A scenario through which recognisable personal data pass: the good ways, the refused and the failing ones."""

import io
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import structlog

from api import logs
from api.ids import row_id
from domain.runs import Run
from domain.settings import LogStyle
from tests.security.conftest import Place, settle_in
from tests.security.filling import perform

CANARY = {
    "name": "Wellensittich Xaver",
    "company": "Zeisig Holding",
    "phone": "+86 139 7531 8642",
    "email": "kanarienvogel@xaver.example",
    "note": "Er singt im Rotkehlchen",
    "script": "Sprich vom Distelfink",
    "title": "Gimpel anrufen",
    "reason": "Der Stieglitz zog fort",
}
PERSONAL = ("name", "company", "phone", "email", "note", "reason")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What would be logged in production."""
    out, before, configure = io.StringIO(), structlog.get_config(), structlog.configure

    def redirected(**given: Any) -> None:
        factory = structlog.PrintLoggerFactory(out)
        configure(**{**given, "logger_factory": factory, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", redirected)
    logs.configure(LogStyle.JSON)
    yield out
    configure(**before)


@pytest.fixture
async def told(client: httpx2.AsyncClient, log: io.StringIO) -> Place:
    """A workspace through which every canary flew: the good ways, the refused ones and the failing ones."""
    return await fly(client)


async def fly(client: httpx2.AsyncClient) -> Place:
    """Let every canary fly through a workspace of its own."""
    place = await settle_in(client, "Aviary")
    await place.fill()
    owner = place.owner
    who = {name: CANARY[name] for name in ("name", "company", "phone", "email")}
    key = {"idempotencyKey": "once"}
    customer = (await owner.done("customerUpsert", {"input": {"externalId": "C-1", **who}, **key}))[
        "customer"
    ]
    lead = {**place.valid("leadRecord")["input"], "customerExternalId": "C-9", **who}
    await owner.done("leadRecord", {"input": lead, "idempotencyKey": "lead"})
    talk = place.valid("interactionRecord")
    talk["input"]["note"] = CANARY["note"]
    await owner.done("interactionRecord", {**talk, "idempotencyKey": "talk"})
    work = {
        "customerId": customer["id"],
        "title": CANARY["title"],
        "script": CANARY["script"],
        "channel": "PHONE",
    }
    made = [(await owner.done("taskCreate", {"input": work}))["task"]["id"] for _ in range(3)]
    close = {"result": "REACHED", "note": CANARY["note"]}
    await owner.done("taskComplete", {"id": made[0], "input": close, "idempotencyKey": "done"})
    await owner.done("taskCancel", {"id": made[1], "reason": CANARY["reason"], "idempotencyKey": "gone"})
    plan = place.valid("campaignCreate")
    plan["input"] |= {"script": CANARY["script"], "taskTitle": CANARY["title"]}
    await owner.done("campaignCreate", plan)
    run = (await owner.done("reportBuild", {"input": {"title": CANARY["title"]}}))["run"]
    await perform(await Run.get(id=row_id("Run", run["id"])))
    await bad_imports(place)
    return place


async def bad_imports(place: Place) -> None:
    """Rows that will not do, a header that is somebody's data, and a file that is no CSV."""
    name, company, phone, email = (CANARY[one] for one in ("name", "company", "phone", "email"))
    header = "customer_id,name,company,phone,email"
    for content in (
        f"{header}\nC-20,{name},{company},{phone},{email}\nC-21,{name},{company},{email},{phone}\n",
        f"{name},{company},{phone},{email}\n1,2,3,4\n",
        f'{header}\nC-22,"{name},{company},{phone},{email}\n',
    ):
        sent = await place.client.post("/files?name=c.csv", content=content, headers=place.owner.headers)
        run = (await place.owner.done("customersImport", {"input": {"fileId": sent.json()["fileId"]}}))["run"]
        await perform(await Run.get(id=row_id("Run", run["id"])))


def canaries_in(text: str, *names: str) -> list[str]:
    return [name for name in names or CANARY if CANARY[name] in text or CANARY[name].replace(" ", "") in text]
