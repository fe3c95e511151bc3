"""The segments that every workspace has: the cells of the matrix, the care tiers and the presets."""

from domain import db, timekeeping
from domain.language import Label
from domain.segments.models import BUILT_IN, LifecycleStage, RfmTier, SegmentKind, ValueLevel

LIFECYCLE_LABELS = {
    LifecycleStage.NEW: Label("New", "新客户"),
    LifecycleStage.GROWTH: Label("Growth", "成长客户"),
    LifecycleStage.MATURE: Label("Mature", "成熟客户"),
    LifecycleStage.SILENT: Label("Silent", "沉默客户"),
    LifecycleStage.CHURNED: Label("Churned", "流失客户"),
}
VALUE_LABELS = {
    ValueLevel.HIGH: Label("High value", "高价值"),
    ValueLevel.MEDIUM: Label("Medium value", "中价值"),
    ValueLevel.ORDINARY: Label("Ordinary value", "普通价值"),
}
TIER_LABELS = {
    RfmTier.GOLD: Label("RFM gold", "RFM黄金"),
    RfmTier.SILVER: Label("RFM silver", "RFM白银"),
    RfmTier.BRONZE: Label("RFM bronze", "RFM青铜"),
}
PRESET_LABELS = {
    "VIP": Label("VIP customers", "重点客户"),
    "PROFIT_KEY": Label("Key profit customers", "核心利润客户"),
    "NEW_3M": Label("First order within 3 months", "近3个月新成交客户"),
}


def cell_key(lifecycle: LifecycleStage, value_level: ValueLevel) -> str:
    return f"cell:{lifecycle.value}:{value_level.value}"


def tier_key(tier: RfmTier) -> str:
    return f"tier:{tier.value}"


def cell_of(key: str) -> tuple[LifecycleStage, ValueLevel]:
    """The cell that a segment's key names."""
    _, lifecycle, value_level = key.split(":")
    return LifecycleStage(lifecycle), ValueLevel(value_level)


def _all() -> dict[str, tuple[SegmentKind, Label]]:
    cells = {
        cell_key(stage, level): (SegmentKind.CELL, Label(f"{s.en}, {v.en.lower()}", f"{s.zh}·{v.zh}"))
        for stage, s in LIFECYCLE_LABELS.items()
        for level, v in VALUE_LABELS.items()
    }
    tiers = {tier_key(tier): (SegmentKind.RFM_TIER, label) for tier, label in TIER_LABELS.items()}
    presets = {key: (SegmentKind.PRESET, label) for key, label in PRESET_LABELS.items()}
    return {**cells, **tiers, **presets}


GROUPS = _all()


async def ensure(workspace_id: int) -> None:
    """Have all of them stand in a workspace; those that stand already are left as they are."""
    standing = await db.value(
        "SELECT COUNT(*) FROM segments WHERE workspace_id = :id AND kind IN :kinds",
        id=workspace_id,
        kinds=[kind.value for kind in BUILT_IN],
    )
    if standing >= len(GROUPS):
        return
    now = timekeeping.machine_now()
    await db.insert_many(
        "segments",
        [
            {
                "workspace_id": workspace_id,
                "version": 1,
                "key": key,
                "kind": kind.value,
                "name_en": label.en,
                "name_zh": label.zh,
                "created_at": now,
            }
            for key, (kind, label) in GROUPS.items()
        ],
        then="ON CONFLICT (workspace_id, key) DO NOTHING",
    )
