"""What this process counts for its operators: totals by closed words, never of what or of whom.

A label's value is a code, a state or a kind of the code's own; nothing of a workspace or a person. The one
exception is who still uses what is deprecated, and it names a key by its number alone.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

OPERATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

OPERATION_SECONDS = Histogram(
    "careline_operation_seconds",
    "How long queries and mutations took, and how many there were.",
    ["type"],
    buckets=OPERATION_BUCKETS,
    registry=REGISTRY,
)
ERRORS = Counter("careline_errors", "Errors at the top of answers.", ["code"], registry=REGISTRY)
REFUSALS = Counter("careline_refusals", "Reasons for a no of the business.", ["code"], registry=REGISTRY)
SUBSCRIBERS = Gauge("careline_subscribers", "Live streams of this process now.", registry=REGISTRY)
SLOW_STATEMENTS = Counter(
    "careline_slow_statements", "Statements that took longer than a second.", registry=REGISTRY
)
RUNS_ENDED = Counter("careline_runs_ended", "Runs that ended here, by state.", ["state"], registry=REGISTRY)
RUNS_LOST = Counter(
    "careline_runs_lost", "Runs whose worker went away, found by this process.", registry=REGISTRY
)
RUNS_POISONED = Counter("careline_runs_poisoned", "Lost runs that are not tried again.", registry=REGISTRY)
WEBHOOKS_DISABLED = Counter(
    "careline_webhooks_disabled",
    "Webhooks that are told nothing more, by why.",
    ["reason"],
    registry=REGISTRY,
)
DEPRECATED_USES = Counter(
    "careline_deprecated_uses",
    "Operations that named what is deprecated, by its place in the schema and the caller's number.",
    ["place", "caller"],
    registry=REGISTRY,
)
