"""docs/decisions.md names everything that was promised a name and is not in this version."""

import re

from graphql import GraphQLEnumType, GraphQLObjectType, build_schema

from tests.architecture.sources import ROOT

QUERIES = """viewer node nodes customer customers segment segments strategyMatrix task tasks alerts campaign
  campaigns journey journeys kpi kpis dashboard run runs schedules report reports workload staffDay feed
  segmentPreview"""
MUTATIONS = """customerUpsert customersImport ordersImport orderRecord orderStatusSet leadRecord eventRecord
  interactionRecord customersMerge consentRecord contactPreferenceSet complaintOpen complaintResolve
  segmentCreate segmentUpdate segmentationRecompute taskCreate taskAssign taskStart taskSnooze taskComplete
  taskCancel campaignCreate campaignActivate campaignPause campaignClose kpiSnapshot reportBuild runCancel
  runRetry runsRetry queuePause queueResume scheduleCreate scheduleUpdate schedulePause scheduleFire
  workspaceClockAdvance apiKeyCreate apiKeyRevoke webhookCreate"""
SUBSCRIPTIONS = "taskChanged runChanged kpiChanged alertChanged segmentChanged feed"
FIELDS = {
    "Customer": """id externalId name company phone email lifecycleStage valueLevel strategyCell rfm
      membershipTier health owner tags orders tasks alerts timeline contactPreference consents clv""",
    "Rfm": "recencyDays frequency monetary rRank fRank mRank tier computedAt asOf",
    "Task": """id kind title state priority channel customer assignee team dueAt sla escalations outcome
      createdAt updatedAt version""",
    "Sla": "policy policyVersion dueAt state remainingSeconds",
    "Run": "id kind state progress attempt startedBy queuedAt startedAt finishedAt errors result",
    "Progress": "done total unit message etaSeconds",
    "TaskChange": "cursor at change task",
}
POLICIES = {"REJECT_EVERYTHING", "REJECT_FAILED_ROWS", "IGNORE_FAILED"}
THERE = {"placementExplain", "reasons", "sla", "explain"}
"""What the entry names to say how far it goes."""


def missing() -> set[str]:
    """The names of the surface that the schema has not."""
    schema = build_schema((ROOT / "schema.graphql").read_text())
    found: set[str] = set()
    for root, names in (
        (schema.query_type, QUERIES),
        (schema.mutation_type, MUTATIONS),
        (schema.subscription_type, SUBSCRIPTIONS),
    ):
        assert root is not None
        found |= set(names.split()) - root.fields.keys()
    for name, fields in FIELDS.items():
        kind = schema.type_map[name]
        assert isinstance(kind, GraphQLObjectType)
        found |= {f"{name}.{field}" for field in set(fields.split()) - kind.fields.keys()}
    values = {
        value
        for kind in schema.type_map.values()
        if isinstance(kind, GraphQLEnumType)
        for value in kind.values
    }
    return found | (POLICIES - values)


def test_the_list_of_what_is_not_in_this_version_is_whole_and_no_longer_than_that() -> None:
    page = (ROOT / "docs/decisions.md").read_text()
    entry = re.search(r"^\* \*\*Not in this version.*?(?=^\* )", page, re.M | re.S)
    assert entry is not None
    assert set(re.findall(r"`([\w.]+)`", entry[0])) - THERE == missing()
