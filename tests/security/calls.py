"""A valid call of each root field, and the type of object that each id argument stands for."""

import base64
from datetime import timedelta
from typing import Any

from tests.conftest import NOON

LATER = (NOON + timedelta(days=2)).isoformat()
EARLIER = (NOON - timedelta(days=2)).isoformat()

ID_OF = {
    "userId": "User",
    "ownerId": "User",
    "staffId": "User",
    "assigneeId": "User",
    "teamId": "Team",
    "teamIds": "Team",
    "memberIds": "User",
    "ownerIds": "User",
    "customerIds": "Customer",
    "into": "Customer",
    "from": "Customer",
    "segmentId": "Segment",
    "customerId": "Customer",
    "fileId": "File",
    "owner": "User",
    "assignee": "User",
    "team": "Team",
    "customer": "Customer",
    "campaign": "Campaign",
    "segment": "Segment",
}
"""The type of an id by the name of its argument; in a filter, by the name of what is filtered."""

ID_OF_FIELD = {
    "run": "Run",
    "customer": "Customer",
    "segment": "Segment",
    "segmentUpdate": "Segment",
    "segmentRecompute": "Segment",
    "segmentMembersChange": "Segment",
    "segmentArchive": "Segment",
    "segmentRestore": "Segment",
    "task": "Task",
    "campaign": "Campaign",
    "report": "Report",
    "apiKeyRevoke": "ApiKey",
    "userUpdate": "User",
    "userDeactivate": "User",
    "userReactivate": "User",
    "teamUpdate": "Team",
    "customerCancel": "Customer",
    "customerExclude": "Customer",
    "customerInclude": "Customer",
    "importUndo": "Run",
    "customersMergeUndo": "CustomerMerge",
    "runCancel": "Run",
    "runRetry": "Run",
    "schedule": "Schedule",
    "scheduleUpdate": "Schedule",
    "schedulePause": "Schedule",
    "scheduleResume": "Schedule",
    "scheduleFire": "Schedule",
    "orderStatusSet": "Order",
    "taskAssign": "Task",
    "taskStart": "Task",
    "taskSnooze": "Task",
    "taskComplete": "Task",
    "taskCancel": "Task",
    "campaignActivate": "Campaign",
    "campaignPause": "Campaign",
    "campaignClose": "Campaign",
    "runChanged": "Run",
    "webhook": "Webhook",
    "webhookUpdate": "Webhook",
    "webhookDisable": "Webhook",
    "webhookEnable": "Webhook",
    "webhookDelete": "Webhook",
    "webhookSecretRotate": "Webhook",
    "webhookReplay": "Webhook",
    "webhookDeliveryReplay": "WebhookDelivery",
    "webhookTest": "Webhook",
    "alertClose": "Alert",
}
"""The type of the argument `id` of a root field."""

RULE = {"orders": {"count": {"gte": 1}}}

ANY_ID = {("node", "id"), ("nodes", "ids")}
"""Arguments that take the id of any object."""


class Unknown(LookupError):
    """The schema has an argument or a field that this page does not know yet: add it here."""


def type_of_id(field: str, path: tuple[str, ...]) -> str:
    """The type of object that an id argument of a field stands for."""
    names = [name for name in path if name not in ("eq", "in", "and", "or", "not")]
    known = ID_OF_FIELD.get(field) if names == ["id"] else ID_OF.get(names[-1])
    if known is None:
        raise Unknown(f"which type has the id {field}({'.'.join(path)})?")
    return known


def beginning_of(workspace: str) -> str:
    """The cursor before the first line of a workspace's feed."""
    number = base64.urlsafe_b64decode(workspace + "=" * (-len(workspace) % 4)).decode().partition(":")[2]
    return base64.urlsafe_b64encode(f"feed:{number}:0".encode()).decode().rstrip("=")


def valid(field: str, ids: dict[str, str]) -> dict[str, Any]:
    """Arguments with which a root field does something, on the objects with these ids."""
    money = {"amount": "12.50", "currency": "CNY"}
    colleague = ids.get("Colleague", ids["User"])
    pair = {"into": ids.get("Other", ids["Customer"]), "from": ids.get("Another", ids["Customer"])}
    known: dict[str, dict[str, Any]] = {
        "contactDecision": {
            "customerId": ids["Customer"],
            "channel": "PHONE",
            "at": LATER,
            "purpose": "SERVICE",
        },
        "customer": {"externalId": "C-1"},
        "order": {"externalId": "O-1"},
        "lead": {"externalId": "L-1"},
        "segment": {"key": "NEW_3M"},
        "segmentPreview": {"rule": RULE, "segmentId": ids["Segment"]},
        "segmentExplain": {"segmentId": ids["Segment"], "customerId": ids["Customer"]},
        "segmentTransitions": {"since": EARLIER, "until": LATER},
        "kpi": {"code": "VISIT_COVERAGE"},
        "node": {"id": ids["Task"]},
        "nodes": {"ids": [ids["Task"], ids["Customer"]]},
        "run": {"id": ids["Run"]},
        "task": {"id": ids["Task"]},
        "campaign": {"id": ids["Campaign"]},
        "report": {"id": ids["Report"]},
        "apiKeyCreate": {"input": {"name": "second", "role": "PLANNER"}},
        "apiKeyRevoke": {"id": ids["ApiKey"]},
        "userCreate": {
            "input": {
                "name": "Somebody",
                "email": "somebody@care.test",
                "role": "EXECUTOR",
                "teamIds": [ids["Team"]],
            }
        },
        "userUpdate": {"id": colleague, "input": {"name": "Somebody Else"}},
        "userDeactivate": {"id": colleague},
        "userReactivate": {"id": colleague},
        "teamCreate": {"input": {"name": "Night", "memberIds": [ids["User"]]}},
        "teamUpdate": {"id": ids["Team"], "input": {"name": "Day"}},
        "customerCancel": {"id": ids["Customer"], "cancelledAt": EARLIER},
        "customerExclude": {"id": ids["Customer"], "reason": "TEST"},
        "customerInclude": {"id": ids["Customer"]},
        "workspaceClockAdvance": {"to": LATER},
        "runCancel": {"id": ids["Run"]},
        "runRetry": {"id": ids.get("FailedRun", ids["Run"])},
        "runsRetry": {"where": {"state": {"eq": "FAILED"}}},
        "schedule": {"id": ids["Schedule"]},
        "scheduleCreate": {
            "input": {
                "name": "Monday",
                "kind": "report_build",
                "cron": "0 9 * * 1",
                "zone": "Europe/Berlin",
                "arguments": {"titleEn": "Monday"},
            }
        },
        "scheduleUpdate": {"id": ids["Schedule"], "input": {"cron": "0 8 * * 1"}},
        "schedulePause": {"id": ids["Schedule"]},
        "scheduleResume": {"id": ids["Schedule"]},
        "scheduleFire": {"id": ids["Schedule"]},
        "queuePause": {"what": {"queue": "REPORTS"}},
        "queueResume": {"what": {"queue": "REPORTS"}},
        "customersMerge": pair,
        "customerSearch": {"startsWith": "Name"},
        "customersMergePreview": pair,
        "customersMergeUndo": {"id": ids["CustomerMerge"]},
        "customerUpsert": {"input": {"externalId": "C-1", "name": "Other"}},
        "orderRecord": {
            "input": {"externalId": "O-7", "customerExternalId": "C-1", "orderedAt": EARLIER, "amount": money}
        },
        "orderStatusSet": {"id": ids["Order"], "status": "REFUNDED"},
        "leadRecord": {
            "input": {
                "externalId": "L-7",
                "customerExternalId": "C-1",
                "source": "WEBSITE",
                "acquiredAt": EARLIER,
                "consent": True,
            }
        },
        "eventRecord": {
            "input": {
                "externalId": "E-7",
                "customerExternalId": "C-1",
                "name": "login",
                "occurredAt": EARLIER,
            }
        },
        "customersImport": {"input": {"fileId": ids["File"]}},
        "consentsImport": {"input": {"fileId": ids["File"]}},
        "interactionsImport": {"input": {"fileId": ids["File"]}},
        "eventsImport": {"input": {"fileId": ids["File"]}},
        "importUndo": {"id": ids.get("ImportRun", ids["Run"])},
        "ordersImport": {"input": {"fileId": ids["File"]}},
        "contactPreferenceSet": {"customerId": ids["Customer"], "input": {"refused": ["SMS"]}},
        "needProfileSet": {"customerId": ids["Customer"], "input": {"industry": "Hotels"}},
        "consentRecord": {
            "customerId": ids["Customer"],
            "input": {"purpose": "SERVICE", "granted": True, "source": "web", "statedAt": EARLIER},
        },
        "interactionRecord": {
            "customerId": ids["Customer"],
            "input": {
                "channel": "PHONE",
                "direction": "INBOUND",
                "result": "REACHED",
                "occurredAt": EARLIER,
            },
        },
        "segmentationThresholdsSet": {"input": {"newDays": 80}},
        "clvSimulate": {"arpu": money, "input": {"retention": "0.65"}},
        "clvAssumptionsSet": {"input": {"retention": "0.65"}},
        "segmentCreate": {"input": {"key": "SECOND", "nameEn": "Second", "rule": RULE}},
        "segmentUpdate": {"id": ids.get("OwnSegment", ids["Segment"]), "input": {"nameEn": "Other"}},
        "segmentRecompute": {"id": ids.get("OwnSegment", ids["Segment"])},
        "segmentMembersChange": {
            "id": ids.get("ListSegment", ids["Segment"]),
            "mode": "ADD",
            "input": {"customerIds": [ids["Customer"]]},
        },
        "segmentPresetInstall": {"key": "ACTIVE"},
        "alertClose": {"id": ids["Alert"], "input": {"outcome": "MISTAKEN"}},
        "healthWeightsSet": {"input": {"recency": 20}},
        "segmentArchive": {"id": ids.get("OwnSegment", ids["Segment"])},
        "segmentRestore": {"id": ids.get("OwnSegment", ids["Segment"])},
        "taskCreate": {"input": {"customerId": ids["Customer"], "title": "Call"}},
        "taskAssign": {"id": ids["Task"]},
        "taskStart": {"id": ids["Task"]},
        "taskSnooze": {"id": ids["Task"], "until": LATER},
        "taskComplete": {
            "id": ids["Task"],
            "input": {"result": "REACHED", "smoothnessOfUse": 5, "needSatisfaction": 4},
        },
        "taskCancel": {"id": ids["Task"], "reason": "mistake"},
        "campaignCreate": {
            "input": {
                "name": "Summer",
                "segmentId": ids["Segment"],
                "channel": "PHONE",
                "taskTitle": "Offer",
            }
        },
        "campaignActivate": {"id": ids["Campaign"]},
        "campaignPause": {"id": ids["Campaign"]},
        "campaignClose": {"id": ids["Campaign"]},
        "kpiTargetSet": {
            "code": "VISIT_COVERAGE",
            "input": {"target": "0.8", "comparator": "AT_LEAST"},
        },
        "reportBuild": {"input": {"title": "Month"}},
        "webhook": {"id": ids["Webhook"]},
        "webhookCreate": {
            "input": {
                "name": "ERP",
                "url": "https://erp.example.com/hook",
                "topics": ["tasks"],
                "role": "PLANNER",
                "document": "query ($id: ID!) { task(id: $id) { title } }",
            }
        },
        "webhookUpdate": {"id": ids["Webhook"], "input": {"name": "CRM 2"}},
        "webhookDisable": {"id": ids["Webhook"]},
        "webhookEnable": {"id": ids["Webhook"]},
        "webhookDelete": {"id": ids["Webhook"]},
        "webhookSecretRotate": {"id": ids["Webhook"]},
        "webhookReplay": {"id": ids["Webhook"], "after": beginning_of(ids["Workspace"])},
        "webhookDeliveryReplay": {"id": ids["WebhookDelivery"]},
        "webhookTest": {"id": ids["Webhook"], "send": True},
    }
    return known.get(field, {})
