"""KPIs, dashboard and reports through the schema."""

import base64
import logging
from typing import Any

import pytest

from api.context import Context
from api.ids import global_id
from api.schema import schema
from domain import feeds, kpis
from domain.access import BUILDERS, Role
from domain.kpis import SETS_TARGETS, KpiTarget
from domain.runs import Run
from tests.api.conftest import Ask, ask_for_result
from tests.conftest import NOON, House, build_house
from tests.domain.kpis import scene
from tests.domain.kpis.scene import local

KPI = """query($code: String!) { kpi(code: $code) {
  code name zh: name(language: ZH_CN) en: name(language: EN) meaning(language: EN) formula unit dimension
  numeratorMeaning(language: EN) denominatorMeaning(language: EN) window(language: EN) sources
  value numerator denominator baseline target comparator dueOn gap status targetVersion
  asOf computedAt runId stale run { id kind }
  history(first: 2) { value numerator denominator periodStart periodEnd asOf runId } } }"""
SNAPSHOT = """mutation($key: String) { kpiSnapshot(idempotencyKey: $key) {
  ... on KpiSnapshotPayload { run { id kind state } } } }"""
AIM = """mutation($code: String!, $input: KpiTargetInput!, $seen: Int, $key: String) {
  kpiTargetSet(code: $code, input: $input, expectedVersion: $seen, idempotencyKey: $key) {
    ... on KpiTargetSetPayload { kpiTarget {
      id baseline target comparator dueOn version kpi { code target status targetVersion } } }
    ... on Refusal { userErrors { code field } current { ... on KpiTarget { version target } } } } }"""
BUILD = """mutation($input: ReportInput, $key: String) { reportBuild(input: $input, idempotencyKey: $key) {
  ... on ReportBuildPayload { run { id kind } } ... on Refusal { userErrors { code field } } } }"""
REPORT = """query($id: ID!) { report(id: $id) {
  id title language asOf createdAt processId run { id kind state }
  html { url name mediaType sizeBytes sha256 table } tables { table name url mediaType } } }"""
DASHBOARD = """{ dashboard { asOf openTasks overdueTasks customers
  kpis { code value status stale } silentShare { code value status }
  matrix { lifecycle valueLevel customers } tiers { tier customers }
  segmentationAsOf segmentationComputedAt segmentationRunId segmentationStale } }"""


async def gold(house: House, covered: int) -> None:
    ids = await scene.customers(house.id, 20)
    await scene.placements(house.admin, ids)
    await scene.tasks(
        house.id, [scene.visit(c, local(2025, 3, 1, hour)) for c in ids[:covered] for hour in (9, 10, 11)]
    )


async def last_run() -> Run:
    run = await Run.filter(kind__in=["kpi_snapshot", "report_build"]).order_by("-id").first()
    assert run is not None
    return await scene.performed(run)


async def test_a_kpi_says_what_it_is_and_how_it_stands(house: House, ask: Ask) -> None:
    await gold(house, 19)
    asked = await ask(SNAPSHOT, who=house.staff[Role.ANALYST])
    assert asked["kpiSnapshot"]["run"]["kind"] == "kpi_snapshot"
    run = await last_run()
    found = (await ask(KPI, code="VISIT_COVERAGE"))["kpi"]
    run_id = global_id("Run", run.id)
    assert found.pop("computedAt")
    assert found.pop("history") == [
        {
            "value": "0.950000",
            "numerator": 19,
            "denominator": 20,
            "periodStart": "2025-02-28T16:00:00Z",
            "periodEnd": "2025-03-31T16:00:00Z",
            "asOf": "2025-03-03T04:00:00Z",
            "runId": run_id,
        }
    ]
    assert found == {
        "code": "VISIT_COVERAGE",
        "name": "回访覆盖率",
        "zh": "回访覆盖率",
        "en": "Return-visit coverage",
        "meaning": "How many gold customers had all their personal visits of the visit period, by default a month.",
        "formula": "gold(visits reached >= quota) / gold",
        "unit": "SHARE",
        "dimension": "PROCESS",
        "numeratorMeaning": kpis.VISIT_COVERAGE.numerator.en,
        "denominatorMeaning": "gold customers due in the period",
        "window": kpis.VISIT_COVERAGE.window.label.en,
        "sources": ["S4-10", "S4-27", "C-47", "A-17"],
        "value": "0.950000",
        "numerator": 19,
        "denominator": 20,
        "baseline": None,
        "target": "0.950000",
        "comparator": "AT_LEAST",
        "dueOn": None,
        "gap": "0.000000",
        "status": "MET",
        "targetVersion": 0,
        "asOf": "2025-03-03T04:00:00Z",
        "runId": run_id,
        "stale": False,
        "run": {"id": run_id, "kind": "kpi_snapshot"},
    }


async def test_an_unmeasured_kpi_has_no_value_and_an_unknown_one_is_null(house: House, ask: Ask) -> None:
    found = (await ask(KPI, code="REPURCHASE_RATE"))["kpi"]
    nothing = ("value", "numerator", "denominator", "gap", "asOf", "computedAt", "runId", "run")
    assert [found[name] for name in nothing] == [None] * len(nothing)
    assert (found["status"], found["stale"], found["history"]) == ("NO_DATA", True, [])
    assert (found["baseline"], found["target"]) == ("0.300000", "0.345000")
    assert await ask(KPI, code="NPS") == {"kpi": None}


@pytest.mark.parametrize("first", [0, 101])
async def test_a_history_has_1_to_100_measurements(house: House, first: int) -> None:
    document = 'query($n: Int!) { kpi(code: "SILENT_SHARE") { history(first: $n) { value } } }'
    result = await ask_for_result(document, house.owner, {"n": first})
    assert result.errors


async def test_the_dashboard_is_one_look(house: House, ask: Ask) -> None:
    await gold(house, 18)
    await scene.segmentation(house.admin, NOON)
    (customer,) = await scene.customers(house.id, 1)
    await scene.tasks(
        house.id, [{"customer_id": customer}, {"customer_id": customer, "due_at": local(2025, 3, 2)}]
    )
    await ask(SNAPSHOT)
    await last_run()
    shown = (await ask(DASHBOARD, who=house.staff[Role.EXECUTOR]))["dashboard"]
    assert (shown["openTasks"], shown["overdueTasks"], shown["customers"]) == (2, 1, 20)
    assert [kpi["code"] for kpi in shown["kpis"]] == list(kpis.CATALOGUE)
    assert shown["silentShare"] == {"code": "SILENT_SHARE", "value": "0.000000", "status": "MET"}
    assert len(shown["matrix"]) == 15
    assert {"lifecycle": "MATURE", "valueLevel": "HIGH", "customers": 20} in shown["matrix"]
    assert shown["tiers"] == [
        {"tier": "GOLD", "customers": 20},
        {"tier": "SILVER", "customers": 0},
        {"tier": "BRONZE", "customers": 0},
    ]
    assert (shown["segmentationAsOf"], shown["segmentationStale"]) == ("2025-03-03T04:00:00Z", False)
    assert shown["segmentationRunId"] and shown["segmentationComputedAt"]


async def test_a_target_is_set_once_per_key_and_refused_when_seen_otherwise(house: House, ask: Ask) -> None:
    aim = {"target": "0.9", "baseline": "0.8", "comparator": "AT_LEAST", "dueOn": "2025-06-30"}
    first = (await ask(AIM, code="VISIT_COVERAGE", input=aim, key="k"))["kpiTargetSet"]["kpiTarget"]
    assert first.pop("id")
    assert first == {
        "baseline": "0.800000",
        "target": "0.900000",
        "comparator": "AT_LEAST",
        "dueOn": "2025-06-30",
        "version": 1,
        "kpi": {"code": "VISIT_COVERAGE", "target": "0.900000", "status": "NO_DATA", "targetVersion": 1},
    }
    again = (await ask(AIM, code="VISIT_COVERAGE", input=aim, key="k"))["kpiTargetSet"]["kpiTarget"]
    assert again["version"] == 1
    other = {**aim, "target": "0.7"}
    refused = (await ask(AIM, code="VISIT_COVERAGE", input=other, seen=0))["kpiTargetSet"]
    assert refused["userErrors"] == [{"code": "CONFLICT", "field": ["expectedVersion"]}]
    assert refused["current"]["version"] == 1
    refused = (await ask(AIM, code="VISIT_COVERAGE", input={**aim, "target": "1.5"}))["kpiTargetSet"]
    assert refused["userErrors"] == [{"code": "INVALID", "field": ["input", "target"]}]
    refused = (await ask(AIM, code="NPS", input=aim))["kpiTargetSet"]
    assert refused["userErrors"] == [{"code": "NOT_FOUND", "field": ["code"]}]
    assert await KpiTarget.all().count() == 1


async def test_a_report_is_built_found_and_listed(house: House, ask: Ask) -> None:
    await gold(house, 19)
    asked = await ask(BUILD, who=house.staff[Role.ANALYST], input={"language": "EN", "title": "March"})
    assert asked["reportBuild"]["run"]["kind"] == "report_build"
    run = await last_run()
    assert run.result is not None
    report_id = global_id("Report", run.result["report_id"])
    found = (await ask(REPORT, id=report_id))["report"]
    stored = await kpis.get_report(house.admin, run.result["report_id"])
    assert found["html"]["url"] == f"/files/{global_id('File', stored.html_file_id)}"
    assert (found["html"]["name"], found["html"]["table"]) == ("report-2025-03-03.html", None)
    assert found["html"]["mediaType"] == "text/html; charset=utf-8"
    assert found["html"]["sizeBytes"] == len((await scene.html_of(house.admin, stored)).encode())
    assert [table["table"] for table in found["tables"]] == ["kpis", "matrix", "trend"]
    assert (found["title"], found["language"], found["asOf"]) == ("March", "EN", "2025-03-03T04:00:00Z")
    assert found["run"] == {"id": global_id("Run", run.id), "kind": "report_build", "state": "SUCCEEDED"}
    listed = await ask("{ reports(first: 1) { totalCount nodes { id title } } }")
    assert listed["reports"] == {"totalCount": 1, "nodes": [{"id": report_id, "title": "March"}]}
    other = await build_house("Other")
    assert await ask(REPORT, who=other.owner, id=report_id) == {"report": None}
    assert await ask(REPORT, id=global_id("Run", run.id)) == {"report": None}
    refused = (await ask(BUILD, input={"title": "two\nlines"}))["reportBuild"]
    assert refused["userErrors"] == [{"code": "INVALID", "field": ["input", "title"]}]


async def test_a_report_asked_for_twice_with_one_key_is_built_once(house: House, ask: Ask) -> None:
    first, second = [(await ask(BUILD, key="k"))["reportBuild"]["run"]["id"] for _ in range(2)]
    assert first == second
    assert await Run.filter(kind="report_build").count() == 1


@pytest.mark.parametrize(
    ("document", "allowed", "variables"),
    [
        (SNAPSHOT, BUILDERS, {}),
        (BUILD, BUILDERS, {}),
        (AIM, SETS_TARGETS, {"code": "SILENT_SHARE", "input": {"target": "0.1", "comparator": "AT_MOST"}}),
    ],
)
async def test_each_mutation_is_for_its_roles_alone(
    house: House, document: str, allowed: frozenset[Role], variables: dict[str, Any]
) -> None:
    for role in set(Role) - allowed:
        result = await ask_for_result(document, house.staff[role], variables)
        assert [error.extensions["code"] for error in result.errors or ()] == ["FORBIDDEN"]
    assert (await Run.all().count(), await KpiTarget.all().count()) == (0, 0)
    for role in allowed:
        assert (await ask_for_result(document, house.staff[role], variables)).errors is None


async def test_every_role_reads_the_figures(house: House, ask: Ask) -> None:
    for role in Role:
        shown = await ask("{ kpis { code } reports { nodes { id } } }", who=house.staff[role])
        assert len(shown["kpis"]) == 4


async def test_measurements_and_targets_are_told_in_their_order(house: House, ask: Ask) -> None:
    aim = {"target": "0.9", "comparator": "AT_LEAST"}
    await ask(AIM, code="VISIT_COVERAGE", input=aim)
    await ask(SNAPSHOT)
    await last_run()
    await feeds.number(house.id)
    start = base64.urlsafe_b64encode(f"feed:{house.id}:0".encode()).decode()
    document = (
        "subscription($after: String) { kpiChanged(after: $after) { cursor change kpis { code value } } }"
    )
    seen = []
    stream = await schema.subscribe(document, {"after": start}, context_value=Context(house.owner))
    async for event in stream:  # type: ignore[union-attr]
        assert event.errors is None
        seen.append(event.data["kpiChanged"])
        if len(seen) == 2:
            break
    assert [change["change"] for change in seen] == ["kpi_target.changed", "kpi.measured"]
    assert [[kpi["code"] for kpi in change["kpis"]] for change in seen] == [
        ["VISIT_COVERAGE"],
        list(kpis.CATALOGUE),
    ]
    resumed = await schema.subscribe(
        document, {"after": seen[0]["cursor"]}, context_value=Context(house.owner)
    )
    event = await anext(resumed)  # type: ignore[arg-type]
    assert event.data["kpiChanged"] == seen[1]


@pytest.mark.one_path
async def test_a_page_of_reports_costs_the_same_whatever_its_size(
    house: House, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    document = """query($n: Int!) { reports(first: $n) { nodes {
      title html { url name } tables { url name } run { state } } } }"""
    for _ in range(3):
        await ask(BUILD)
        await last_run()
    costs = []
    for size in (1, 3):
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
            found = await ask(document, n=size)
        assert len(found["reports"]["nodes"]) == size
        costs.append(sum("SELECT" in record.getMessage() for record in caplog.records))
    assert costs == [3, 3]
