"""The fifteen strategies."""

from domain import segments
from domain.language import Language
from domain.segments import LifecycleStage, StrategySource, ValueLevel


def test_nine_strategies_are_the_documents_and_six_are_inherited() -> None:
    sources = [cell.source for cell in segments.STRATEGIES.values()]
    assert len(sources) == 15
    assert (sources.count(StrategySource.OWN), sources.count(StrategySource.INHERITED)) == (9, 6)


def test_a_silent_customer_of_high_value_is_treated_as_one_of_medium_value() -> None:
    found = segments.strategy(LifecycleStage.SILENT, ValueLevel.HIGH)
    assert (found.source, found.inherited_from) == (StrategySource.INHERITED, ValueLevel.MEDIUM)
    assert [part(Language.EN) for part in found.components] == [
        "Cause survey",
        "Pain-point solving",
        "Limited-time benefit",
    ]
    assert [part(Language.ZH_CN) for part in found.components] == ["原因调研", "痛点解决", "限时福利"]
    assert found.goal(Language.ZH_CN) == "唤醒记忆，激活互动"


def test_a_cell_inherits_from_the_nearest_value_level() -> None:
    inherited = {
        (cell.lifecycle.value, cell.value_level.value): cell.inherited_from
        for cell in segments.STRATEGIES.values()
        if cell.source is StrategySource.INHERITED
    }
    assert inherited == {
        ("NEW", "HIGH"): ValueLevel.MEDIUM,
        ("GROWTH", "ORDINARY"): ValueLevel.MEDIUM,
        ("MATURE", "MEDIUM"): ValueLevel.HIGH,
        ("MATURE", "ORDINARY"): ValueLevel.HIGH,
        ("SILENT", "HIGH"): ValueLevel.MEDIUM,
        ("CHURNED", "ORDINARY"): ValueLevel.MEDIUM,
    }
    for cell in segments.STRATEGIES.values():
        source = segments.strategy(cell.lifecycle, cell.inherited_from or cell.value_level)
        assert source.source is StrategySource.OWN
        assert source.components == cell.components
