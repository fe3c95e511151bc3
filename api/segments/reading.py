"""What many fields of segments need and is the same for all: read once per operation."""

from collections.abc import Mapping
from typing import Any

from api.context import Info, load, who
from domain import segments, workspaces
from domain.language import Label, Language
from domain.segments import Freshness, Placement
from domain.workspaces import Workspace


async def _workspaces(workspace_id: int, keys: list[int]) -> Mapping[int, Workspace]:
    return {workspace_id: await workspaces.get(workspace_id)}


async def _freshness(workspace_id: int, keys: list[int]) -> Mapping[int, Freshness]:
    return {workspace_id: await segments.freshness(workspace_id)}


async def _counts(workspace_id: int, cells: list[Any]) -> Mapping[Any, int]:
    return await segments.matrix(workspace_id)


async def workspace(info: Info) -> Workspace:
    found = await load(info, _workspaces, who(info).workspace_id)
    assert found is not None
    return found


async def freshness(info: Info) -> Freshness:
    found = await load(info, _freshness, who(info).workspace_id)
    assert found is not None
    return found


async def count(info: Info, cell: segments.Cell) -> int:
    return await load(info, _counts, cell) or 0


async def placement(info: Info, customer_id: int) -> Placement | None:
    return await load(info, segments.placements_by_customer, customer_id)


async def spoken(info: Info, label: Label, language: Language | None) -> str:
    """A label in the language asked for, or else in the workspace's."""
    return label(language or (await workspace(info)).language)
