"""Sets the demonstration up step by step; started again after any end, it goes on where it was."""

import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from starlette.applications import Starlette

from api.client import Client
from api.demo import orders
from api.demo.show import show
from api.serving import serve
from domain import customers, runs, timekeeping, workspaces
from domain.access import Role, system
from domain.language import Language
from domain.runs import Schedule, SchedulePreset
from domain.settings import Settings
from domain.workspaces import Workspace

NAME = "CDNOW (demonstration)"
ZONE, CURRENCY = "America/New_York", "USD"
PRESET = "CDNOW_USD"
PRESETS = ("HIGH_FREQUENCY", "CHURN_RISK")
"""Named segments of the documents that are taken on as the workspace's own rules."""
STAFF = {
    "Olivia Owens": Role.OWNER,
    "Ada Admin": Role.ADMIN,
    "Oscar Hale": Role.OPS_HEAD,
    "Tara Lindqvist": Role.TEAM_LEAD,
    "Pedro Lima": Role.PROJECT_LEAD,
    "Priya Nair": Role.PLANNER,
    "Eva Torres": Role.EXECUTOR,
    "Emil Novak": Role.EXECUTOR,
    "Esme Clarke": Role.EXECUTOR,
    "Ansel Wu": Role.ANALYST,
    "Sam Porter": Role.SUPPORT,
}
"""One of each role; the executors look after the customers, so that work is opened for them."""
ESCALATES_AFTER = timedelta(seconds=45)
"""How long after the start the first touch of one synthetic lead is missed."""


async def play(settings: Settings, where: Path, *, as_is: bool) -> None:
    """Serve the demonstration. `where` is the file that tells its URL and key once it can be reached."""
    console = Console(stderr=True, highlight=False)
    secret = where.with_suffix(".key")
    key = ""
    began = time.monotonic()

    async def before(application: Starlette) -> None:
        nonlocal key
        # Only now is the database ours: until then the file may be of a demonstration that runs.
        where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        where.unlink(missing_ok=True)
        key = await _house(secret)
        client = Client("http://careline", key, httpx2.ASGITransport(app=application))
        await _fill(client, console, where.with_name("demo-orders.csv"), as_is)
        lines.extend(await show(client))

    lines: list[str] = []

    def ready(url: str) -> None:
        _write_private(where, json.dumps({"url": url, "apiKey": key}))
        lines.append(f"ready after {time.monotonic() - began:.1f} s")
        for line in lines:
            console.print(line.replace("{url}", url).replace("{key}", key), markup=False, soft_wrap=True)

    await serve(settings, before=before, ready=ready)


async def _house(secret: Path) -> str:
    """The workspace with its staff, made once; a key of its owner, kept beside the database."""
    workspace = await Workspace.get_or_none(name=NAME)
    if workspace is None:
        workspace = await workspaces.create(NAME, zone=ZONE, currency=CURRENCY, language=Language.EN)
    team = next(iter(await workspaces.teams(workspace.id)), None) or await workspaces.add_team(
        workspace.id, "Care"
    )
    known = {user.name: user for user in await workspaces.staff(workspace.id)}
    for name, role in STAFF.items():
        if name not in known:
            email = f"{name.split()[0].lower()}@careline.example"
            known[name] = await workspaces.add_user(workspace.id, name, email, role)
        if not await workspaces.teams_of(workspace.id, known[name].id):
            await workspaces.join_team(team, known[name])
    for preset in (SchedulePreset.NIGHTLY_RECOMPUTE, SchedulePreset.NIGHTLY_KPIS):
        if not await Schedule.exists(workspace_id=workspace.id, name=preset.value):
            await runs.create_schedule(system(workspace.id), preset=preset)
    if secret.exists():
        kept = secret.read_text().strip()
        try:
            await workspaces.authenticate(f"Bearer {kept}")
        except workspaces.BadCredential:
            pass
        else:
            return kept
    owner = next(user for user in known.values() if user.role is Role.OWNER)
    made = await workspaces.create_key(
        system(workspace.id), name="demonstration", role=Role.OWNER, user_id=owner.id
    )
    _write_private(secret, made.secret)
    return made.secret


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    draft.replace(path)


async def _latest(client: Client, kind: str) -> dict[str, Any] | None:
    data = await client.ask(
        "query ($kind: String!) { runs(where: {kind: {eq: $kind}}, first: 1) "
        "{ nodes { id state progress { done total } } } }",
        kind=kind,
    )
    return next(iter(data["runs"]["nodes"]), None)


async def _once(client: Client, console: Console, kind: str, title: str, start: Any) -> None:
    """Have one run of a kind done: begun now, or found from before and followed, or tried again."""
    run = await _latest(client, kind)
    if run is not None and run["state"] == "SUCCEEDED":
        return
    if run is None:
        run_id = await start()
    elif run["state"] in ("FAILED", "CANCELLED"):
        done = await client.change("runRetry", "run { id }", "$id: ID!", "id: $id", id=run["id"])
        run_id = done["run"]["id"]
    else:
        run_id = run["id"]
    await client.finish(run_id, title, console)


async def _fill(client: Client, console: Console, csv_file: Path, as_is: bool) -> None:
    async def import_orders() -> str:
        now = timekeeping.machine_now()
        yesterday = timekeeping.local_day(now, timekeeping.zone(ZONE)) - timedelta(days=1)
        orders.write(csv_file, None if as_is else yesterday)
        file_id = await client.upload(csv_file)
        csv_file.unlink()
        done = await client.change(
            "ordersImport", "run { id }", "$file: ID!", "input: {fileId: $file}", file=file_id
        )
        return str(done["run"]["id"])

    async def start(mutation: str, passed: str = "") -> str:
        done = await client.change(mutation, "run { id }", "", passed)
        return str(done["run"]["id"])

    await _once(client, console, "orders_import", "importing orders", import_orders)
    await _share_out()
    await client.change("segmentationThresholdsSet", "number", passed=f'preset: "{PRESET}"')
    await _once(
        client, console, "segmentation_recompute", "placing customers", lambda: start("segmentationRecompute")
    )
    await _once(client, console, "segments_evaluate", "filling segments", lambda: _segments(client))
    await _once(client, console, "cadence_plan", "planning visits", lambda: start("visitsPlan"))
    campaign_id = await _campaign(client)
    await _once(
        client,
        console,
        "campaign_launch",
        "launching the campaign",
        lambda: start("campaignActivate", f'id: "{campaign_id}"'),
    )
    await _synthetic(client)
    await _once(client, console, "kpi_snapshot", "measuring KPIs", lambda: start("kpiSnapshot"))
    await _once(client, console, "report_build", "building a report", lambda: start("reportBuild"))


async def _share_out() -> None:
    """Give the customers to the executors, before any work is opened for them."""
    workspace = await Workspace.get(name=NAME)
    staff = await workspaces.staff(workspace.id)
    executors = [user.id for user in staff if user.role is Role.EXECUTOR]
    await customers.share_out(system(workspace.id), executors)


async def _segments(client: Client) -> str:
    """Take two presets on; the run that fills the last of them."""
    done = {}
    for preset in PRESETS:
        taken = await client.change("segmentPresetInstall", "segment { id }", passed=f'key: "{preset}"')
        done = await client.change(
            "segmentRecompute", "run { id }", "$id: ID!", "id: $id", id=taken["segment"]["id"]
        )
    return str(done["run"]["id"])


async def _campaign(client: Client) -> str:
    data = await client.ask(
        '{ segment(key: "cell:SILENT:HIGH") { id } kpi(code: "REPURCHASE_RATE") { target } }'
    )
    done = await client.change(
        "campaignCreate",
        "campaign { id }",
        "$segment: ID!, $on: Date!",
        'input: {name: "Wake up our best silent customers", segmentId: $segment, channel: PHONE, '
        'taskTitle: "Ask why they went quiet", script: "We have missed you. May I ask what changed?", '
        'goalKpi: "REPURCHASE_RATE", baseline: "0.30", target: "0.345", targetOn: $on}',
        segment=data["segment"]["id"],
        on=(timekeeping.machine_now().date() + timedelta(days=90)).isoformat(),
        key="demo:campaign",
    )
    return str(done["campaign"]["id"])


async def _synthetic(client: Client) -> None:
    """A few leads and one delivery, dated now, on real customers tagged `synthetic`: no order is added.

    The first lead's 24 hours end in a moment: its first touch is escalated while one watches.
    """
    now = timekeeping.machine_now()
    data = await client.ask(
        "{ customers(first: 4) { nodes { externalId orders(last: 1) { nodes { id status } } } } }"
    )
    known = data["customers"]["nodes"]
    acquired = [now - timedelta(hours=24) + ESCALATES_AFTER, now - timedelta(minutes=1), now]
    for number, (customer, at) in enumerate(zip(known, acquired, strict=False), 1):
        await client.change(
            "customerUpsert",
            "customer { id }",
            "$id: String!",
            'input: {externalId: $id, tags: ["synthetic"]}',
            id=customer["externalId"],
            key=f"demo:tag:{number}",
        )
        await _unless_done(
            client,
            "leadRecord",
            "lead { id }",
            "$id: String!, $customer: String!, $at: DateTime!",
            "input: {externalId: $id, customerExternalId: $customer, source: TRADE_FAIR, consent: true, "
            "acquiredAt: $at}",
            id=f"synthetic-{number}",
            customer=customer["externalId"],
            at=at.isoformat(),
        )
    order = known[3]["orders"]["nodes"][0]
    if order["status"] == "PAID":
        await client.change(
            "orderStatusSet",
            "order { id }",
            "$id: ID!, $at: DateTime!",
            "id: $id, status: DELIVERED, at: $at",
            id=order["id"],
            at=now.isoformat(),
        )


async def _unless_done(client: Client, mutation: str, *args: Any, **variables: Any) -> None:
    """A step whose input tells the time of the first start: a later start leaves it as it is."""
    name = variables["id"]
    data = await client.ask("query ($id: String!) { lead(externalId: $id) { id } }", id=name)
    if data["lead"] is None:
        await client.change(mutation, *args, **variables)
