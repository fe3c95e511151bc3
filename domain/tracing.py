"""Spans of what is asked, run and read, told to OpenTelemetry where the environment says where.

Off, nothing that sends is imported and each place costs a look at a global. A span holds names,
ids and codes of our own, and statements without their values; what an error says stays out of it, for
it may quote a row. A span is the parent of those below it in its task, and no longer than it lasts.
"""

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domain.settings import Settings

FLUSH_SECONDS = 2.0
Attributes = Mapping[str, str | int | list[str]]
Ids = tuple[int, int]
"""Of a trace and of a span in it."""

_tracer: Any = None
_current: ContextVar["Span | None"] = ContextVar("span", default=None)
_wanted: ContextVar[Ids | None] = ContextVar("wanted_ids", default=None)


class Missing(Exception):
    """Spans are asked for, and the package that sends them is not installed."""


class Span:
    """What can be said of a span while it lasts. Without a recording one behind it, nothing is."""

    def __init__(self, recorded: Any = None, quiet: Callable[[], bool] = lambda: False) -> None:
        self._recorded = recorded
        self._quiet = quiet

    @property
    def parent_of_statements(self) -> bool:
        """Whether statements are to be noted below it; not once it has ended, whatever it left running."""
        return self._recorded is not None and self._recorded.is_recording() and not self._quiet()

    def rename(self, name: str) -> None:
        if self._recorded is not None:
            self._recorded.update_name(name)

    def note(self, attributes: Attributes) -> None:
        if self._recorded is not None:
            self._recorded.set_attributes(attributes)

    def failed(self, kind: str) -> None:
        """It ended badly, by a code or the name of a class."""
        if self._recorded is not None:
            from opentelemetry.trace import StatusCode

            self._recorded.set_attribute("error.type", kind)
            self._recorded.set_status(StatusCode.ERROR)

    def end(self) -> None:
        if self._recorded is not None:
            self._recorded.end()


NOTHING = Span()


def on() -> bool:
    return _tracer is not None


@contextlib.contextmanager
def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: str = "INTERNAL",
    traceparent: str | None = None,
    ids: Ids | None = None,
    quiet: Callable[[], bool] = lambda: False,
    kept: Callable[[], bool] = lambda: True,
) -> Iterator[Span]:
    """A span around the block, below the task's present one.

    With `traceparent`, the W3C header, it goes on with a trace that began elsewhere; with `ids` it is the
    first of its own trace, known beforehand to whoever wants to point to it. While `quiet` says so, no
    statement is noted below it; unless it is `kept` in the end, it is told to nobody.
    """
    if _tracer is None:
        yield NOTHING
        return
    made = Span(_started(name, attributes, kind, traceparent, ids), quiet)
    before = _current.get()
    _current.set(made)
    try:
        yield made
    except Exception as error:
        made.failed(type(error).__name__)
        raise
    finally:
        # Not by a token: what ends a stream may have another context than what began it.
        _current.set(before)
        if kept():
            made.end()


def _started(
    name: str, attributes: Attributes | None, kind: str, traceparent: str | None, ids: Ids | None
) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context, parent = Context(), _current.get()
    if ids is None and traceparent is not None:
        # Without `tracestate`: it is free text of a caller's.
        context = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, context)
    elif ids is None and parent is not None and parent._recorded is not None:
        context = set_span_in_context(parent._recorded, context)
    token = _wanted.set(ids)
    try:
        return _tracer.start_span(name, context, kind=SpanKind[kind], attributes=attributes)
    finally:
        _wanted.reset(token)


@contextlib.contextmanager
def statement(text: Callable[[], str], system: str) -> Iterator[None]:
    """A span around a statement, below another: what only looks for work is not noted."""
    parent = _current.get()
    if _tracer is None or parent is None or not parent.parent_of_statements:
        yield
        return
    said = text()
    attributes = {"db.system.name": system, "db.query.text": said}
    with span(said.partition(" ")[0].upper() or "SQL", attributes, kind="CLIENT"):
        yield


def point_to(ids: Ids, attributes: Attributes) -> None:
    """Let the task's present span point to another, which may begin later and in another process."""
    parent = _current.get()
    if _tracer is None or parent is None or parent._recorded is None:
        return
    from opentelemetry.trace import SpanContext, TraceFlags

    parent._recorded.add_link(SpanContext(*ids, is_remote=True, trace_flags=TraceFlags(1)), attributes)


def ids_of(trace: str, span: str) -> Ids:
    """The ids that follow from names, the same in every process."""
    return _number(trace, 16), _number(f"{trace} {span}", 8)


def _number(name: str, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=size).digest(), "big") or 1


@contextlib.contextmanager
def telling(settings: "Settings", exporter: Any = None) -> Iterator[None]:
    """Tell of this process for the time of the block, where `settings` ask for it.

    Raises:
        Missing: they do, and OpenTelemetry is not installed.
    """
    global _tracer
    if exporter is None and not settings.tracing:
        yield
        return
    provider = _provider(exporter)
    _tracer = provider.get_tracer("careline")
    try:
        yield
    finally:
        _tracer = None
        # What nobody takes is not waited for: the collector is no reason to stop late.
        ending = threading.Thread(target=provider.shutdown, name="tracing", daemon=True)
        ending.start()
        ending.join(FLUSH_SECONDS)


def _provider(exporter: Any) -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    except ImportError as error:
        raise Missing(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and OpenTelemetry is not installed: "
            "pip install 'careline[otel]', or unset it"
        ) from error

    class Generator(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            ids = _wanted.get()
            return int(super().generate_trace_id()) if ids is None else ids[0]

        def generate_span_id(self) -> int:
            ids = _wanted.get()
            return int(super().generate_span_id()) if ids is None else ids[1]

    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    provider = TracerProvider(
        resource=Resource.create({} if named else {"service.name": "careline"}),
        id_generator=Generator(),
        shutdown_on_exit=False,
    )
    if exporter is None:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    else:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider
