"""What a trace tells: who was asked what, which run came of it, and with which statements; and whose data it does not."""

import asyncio
import json
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from domain import db, runs, tracing
from domain.settings import BadSettings, Settings, from_environment
from tests.stories.processes import ROOT, Process, ask, started
from tests.stories.stage import Stage
from tests.stories.test_processes import made_workspace

SNAPSHOT = "mutation Count { kpiSnapshot { __typename ... on KpiSnapshotPayload { run { id } } } }"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
COLLECTOR = "http://127.0.0.1:4318"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Before the stage: an application made while nothing is traced never will be."""
    kept = InMemorySpanExporter()
    with tracing.telling(Settings(), kept):
        yield kept


def of(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def noted(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def below(spans: InMemorySpanExporter, parent: ReadableSpan) -> list[ReadableSpan]:
    return [
        span
        for span in spans.get_finished_spans()
        if span.parent and parent.context and span.parent.span_id == parent.context.span_id
    ]


async def test_a_request_its_operation_and_its_statements_are_one_trace(
    spans: InMemorySpanExporter, stage: Stage
) -> None:
    spans.clear()
    answer = await stage.client.post(
        "/graphql",
        json={"query": "query Mine { customers(first: 1) { totalCount } }"},
        headers={"Authorization": f"Bearer {stage.owner.key}", "traceparent": TRACEPARENT},
    )
    (request,), (operation,) = of(spans, "POST /graphql"), of(spans, "query Mine")
    number = answer.headers["X-Request-Id"]
    assert noted(request) == {
        "http.request.method": "POST",
        "http.route": "/graphql",
        "http.response.status_code": 200,
        "careline.request": number,
    }
    assert noted(operation) == {
        "graphql.operation.type": "query",
        "graphql.operation.name": "Mine",
        "careline.request": number,
        "careline.workspace": stage.house.id,
    }
    assert request.kind is SpanKind.SERVER and request.parent and request.context
    assert f"{request.context.trace_id:032x}-{request.parent.span_id:016x}" == TRACEPARENT[3:-3]
    statements = below(spans, operation)
    system = "postgresql" if db.is_postgres() else "sqlite"
    assert {noted(span)["db.system.name"] for span in statements} == {system}
    assert any("customers" in noted(span)["db.query.text"] for span in statements)
    assert {span.name for span in statements} == {"SELECT"}


async def test_a_run_is_told_and_the_request_that_asked_for_it_points_to_it(
    spans: InMemorySpanExporter, stage: Stage
) -> None:
    done = await stage.owner.do(SNAPSHOT)
    await stage.owner.finish(done["run"]["id"])
    async with asyncio.timeout(20):  # it ends a moment after its row says so
        while not (told := of(spans, "run kpi_snapshot")):
            await asyncio.sleep(0.01)
    (run,), (operation,) = told, of(spans, "mutation Count")
    row = await runs.Run.get(kind="kpi_snapshot")
    assert noted(run) == {
        "careline.run": row.id,
        "careline.kind": "kpi_snapshot",
        "careline.workspace": stage.house.id,
        "careline.attempt": 1,
        "careline.queue": row.queue,
    }
    (link,) = operation.links
    assert run.context and (link.context.trace_id, link.context.span_id) == (
        run.context.trace_id,
        run.context.span_id,
    )
    assert dict(link.attributes or {}) == {"careline.run": row.id, "careline.kind": "kpi_snapshot"}
    assert run.parent is None
    texts = " ".join(noted(span)["db.query.text"] for span in below(spans, run))
    assert "INSERT INTO" in texts and "UPDATE runs" in texts


async def test_an_operation_that_fails_is_told_by_its_code_alone(
    spans: InMemorySpanExporter, stage: Stage
) -> None:
    await stage.owner.response("query Wrong { customers(first: 100000) { totalCount } }")
    (wrong,) = of(spans, "query Wrong")
    assert wrong.status.status_code is StatusCode.ERROR
    assert wrong.status.description is None and wrong.events == ()
    assert noted(wrong)["careline.errors"] == (noted(wrong)["error.type"],)
    await stage.owner.response("{ Rotkehlchen")
    (unreadable,) = of(spans, "unreadable")
    assert "Rotkehlchen" not in str(noted(unreadable))


async def test_a_run_that_fails_is_told_by_the_kind_of_its_error(
    spans: InMemorySpanExporter, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: object) -> None:
        raise ValueError("Rotkehlchen")

    kind = runs.work.kinds["kpi_snapshot"]
    monkeypatch.setitem(runs.work.kinds, "kpi_snapshot", type(kind)(kind.name, broken, max_attempts=1))
    await stage.owner.do(SNAPSHOT)
    async with asyncio.timeout(20):
        while not (told := of(spans, "run kpi_snapshot")):
            await asyncio.sleep(0.01)
    assert (told[0].status.status_code, noted(told[0])["error.type"]) == (StatusCode.ERROR, "ValueError")
    assert not [span for span in spans.get_finished_spans() if "Rotkehlchen" in span.to_json()]


async def test_what_only_looks_for_work_leaves_no_span(spans: InMemorySpanExporter, stage: Stage) -> None:
    await stage.settle()
    spans.clear()
    for _ in range(3):
        await runs.pull("nobody", 30, runs.QUEUES, 1)
    assert spans.get_finished_spans() == ()


async def test_a_stream_s_statements_are_not_kept_for_as_long_as_it_lasts(
    spans: InMemorySpanExporter, stage: Stage
) -> None:
    spans.clear()
    with tracing.span("request") as request:
        with tracing.span("operation", quiet=lambda: True):
            await db.value("SELECT 1 AS one")
        assert of(spans, "SELECT") == []
        await db.value("SELECT 1 AS one")
        later = asyncio.create_task(_after(request))
    await later
    assert len(of(spans, "SELECT")) == 1, "a task that a request left running is no part of it"


async def _after(request: tracing.Span) -> None:
    while request.parent_of_statements:
        await asyncio.sleep(0.001)
    await db.value("SELECT 1 AS one")


async def test_off_nothing_is_noted_and_nothing_that_sends_is_imported(stage: Stage) -> None:
    assert not tracing.on()
    with tracing.span("x") as span:
        assert span is tracing.NOTHING
        span.note({"a": 1})
    code = (
        "import sys, api.app, jobs.worker, domain.tracing as t; from domain.settings import Settings\n"
        "with t.telling(Settings()):\n    assert not t.on()\n"
        "sys.exit(any(name.startswith('opentelemetry.exporter') for name in sys.modules))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=ROOT)
    assert await process.wait() == 0


@pytest.mark.parametrize(
    ("given", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{COLLECTOR}/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR, "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR, "OTEL_SDK_DISABLED": "1"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR, "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_usual_variables_say_whether(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], on: bool
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert from_environment().tracing is on


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
    ],
)
def test_what_is_not_spoken_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings, match=f"^{name}: "):
        from_environment()


def test_asked_for_without_the_package_it_says_what_to_install(tmp_path: Path) -> None:
    hidden = tmp_path / "opentelemetry"
    hidden.mkdir()
    (hidden / "__init__.py").write_text("raise ImportError('not installed')")
    process = Process(
        tmp_path / "log",
        "serve",
        DATABASE_URL=f"sqlite:///{tmp_path}/careline.db",
        CARELINE_PORT="0",
        PYTHONPATH=f"{tmp_path}:{ROOT}",
        OTEL_EXPORTER_OTLP_ENDPOINT=COLLECTOR,
    )
    assert process.wait() == 1
    assert "pip install 'careline[otel]'" in (tmp_path / "log").read_text()
    assert not (tmp_path / "careline.db").exists()


class Collector:
    """Takes what is sent by OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        taking = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                    taking.services |= {
                        each.value.string_value
                        for each in group.resource.attributes
                        if each.key == "service.name"
                    }
                    taking.spans += [span for scope in group.scope_spans for span in scope.spans]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_server_tells_a_collector_over_the_wire(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/careline.db"
    key = made_workspace(database)
    collector = Collector()
    shared = {"DATABASE_URL": database, "CARELINE_PORT": "0", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with started(tmp_path / "log", "serve", **shared) as process:
        url = str(process.wait_for("serving")["url"])
        ask(url, key, SNAPSHOT)
        httpx2.get(f"{url}/health/ready")
        assert process.stop() == 0, "what is left is sent at the end"
    collector.close()
    told = {span.name for span in collector.spans}
    assert {"POST /graphql", "mutation Count", "SELECT"} <= told
    assert collector.services == {"careline"}
    assert not [name for name in told if "health" in name]
    (operation,) = [span for span in collector.spans if span.name == "mutation Count"]
    assert len(operation.links) == 1


def test_a_collector_that_is_away_costs_an_answer_nothing_and_the_stop_two_seconds(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/careline.db"
    key = made_workspace(database)
    shared = {"DATABASE_URL": database, "CARELINE_PORT": "0"}
    shared |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with started(tmp_path / "log", "serve", **shared) as process:
        ask(str(process.wait_for("serving")["url"]), key, SNAPSHOT)
        assert process.stop() == 0
    lines = (tmp_path / "log").read_text()
    assert all(json.loads(line) for line in lines.splitlines()), (
        "also what the library logs is a line of JSON"
    )
    assert not re.search(r"\"level\": \"error\".*careline", lines)
