"""How much each signal weighs, and where the bands begin: a version for each change."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

from domain import workspaces
from domain.errors import DomainError, ErrorCode, Invalid, Problem

SETTING = "health"
DEFAULT_PRESET = "PROPOSED"
MOST = 100


@dataclass(frozen=True)
class Weights:
    """The documents give no formula (S1-46, C-41): these are our proposal."""

    recency: int = 30
    frequency: int = 25
    response: int = 20
    satisfaction: int = 15
    engagement: int = 10
    green_from: int = 70
    yellow_from: int = 40

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Weights":
        """From a stored version; what it does not name is as proposed."""
        return cls(**{field.name: document[field.name] for field in fields(cls) if field.name in document})

    def moved(self, changes: Mapping[str, int]) -> "Weights":
        """These, with some of them changed; refused where no signal weighs anything, or bands cross."""
        weights = replace(self, **changes)
        problems = [
            Problem(ErrorCode.INVALID, f"{name} is between 0 and {MOST}", ("input", _spelt(name)))
            for name, value in asdict(weights).items()
            if not 0 <= value <= MOST
        ]
        if problems:
            raise DomainError.of(problems)
        if not weights.recency:
            # Every other signal may be without data; a customer without any known signal has no score.
            raise Invalid(
                "recency, the one signal that everybody has, weighs something", field="input.recency"
            )
        if weights.green_from <= weights.yellow_from:
            raise Invalid("green begins above yellow", field="input.greenFrom")
        return weights


def _spelt(name: str) -> str:
    first, *others = name.split("_")
    return f"{first}{''.join(map(str.title, others))}"


class WeightsVersion(NamedTuple):
    """Weights with the number of their version; number 0 is what holds before any was set."""

    number: int
    weights: Weights


async def weights(workspace_id: int) -> WeightsVersion:
    """What holds now; the proposal where nothing was set."""
    latest = await workspaces.setting(workspace_id, SETTING)
    return WeightsVersion(latest.number, Weights.of(latest.value) if latest.number else Weights())
