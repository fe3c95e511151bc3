"""A change in the feed as clients see it: what happened, when, to what, and where to go on."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import strawberry

from api import live
from api.connections import Connection
from api.enums import publish
from api.ids import global_id
from domain import tasks, timekeeping
from domain.access import Principal
from domain.journal import JournalLine

QUIET = "feed.quiet"
KINDS = {"task": "Task", "run": "Run"}


class FeedTopic(StrEnum):
    """What the feed is about."""

    TASKS = "tasks"
    RUNS = "runs"
    KPIS = "kpis"


assert {topic.value for topic in FeedTopic} == live.TOPICS.keys()
publish(
    FeedTopic,
    "What a change in the feed is about.",
    {
        "TASKS": "Human work.",
        "RUNS": "Machine work.",
        "KPIS": "Measurements and targets.",
    },
)


@strawberry.type(description="One change in the workspace, or the word that there was none.")
class FeedChange:
    cursor: str = strawberry.field(
        description="Its place in the feed, for `after`, here and in every stream."
    )
    at: datetime = strawberry.field(description="When it happened, in business time.")
    change: str = strawberry.field(
        description=f"What happened, such as `task.completed`; `{QUIET}` when nothing did for 15 seconds."
    )
    topic: FeedTopic | None = strawberry.field(description="What it is about; null when nothing happened.")
    object_id: strawberry.ID | None = strawberry.field(
        description="The task or run that changed, for `node`; null for what is no object of its own."
    )


@strawberry.type(description="A page of the feed.")
class FeedConnection(Connection[FeedChange]):
    head: str = strawberry.field(
        description="The place of the newest change: go on from here after a resync."
    )


def change_of(line: JournalLine) -> FeedChange:
    kind = KINDS.get(line.subject)
    return FeedChange(
        cursor=live.cursor(line),
        at=line.at,
        change=line.name,
        topic=next(FeedTopic(name) for name, subjects in live.TOPICS.items() if line.subject in subjects),
        object_id=strawberry.ID(global_id(kind, line.subject_id)) if kind else None,
    )


async def quiet_at(principal: Principal, place: int) -> FeedChange:
    return FeedChange(
        cursor=await live.cursor_at(principal.workspace_id, place),
        at=await timekeeping.now(principal.workspace_id),
        change=QUIET,
        topic=None,
        object_id=None,
    )


async def seen_by(principal: Principal, lines: Sequence[JournalLine]) -> list[JournalLine]:
    """The lines that are for this principal: of tasks only those that it may see."""
    if not principal.own_work_only:
        return list(lines)
    ids = {line.subject_id for line in lines if line.subject == "task"}
    visible = (
        set(await tasks.visible(principal).filter(id__in=ids).values_list("id", flat=True)) if ids else ids
    )
    return [line for line in lines if line.subject != "task" or line.subject_id in visible]
