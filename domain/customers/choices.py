"""How an import is wanted: its format, what becomes of bad rows and of what is stored already."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from domain.errors import Invalid
from domain.files import File


class ImportPolicy(StrEnum):
    """What an import does with rows that will not do."""

    REJECT_EVERYTHING = "REJECT_EVERYTHING"
    REJECT_FAILED_ROWS = "REJECT_FAILED_ROWS"
    IGNORE_FAILED = "IGNORE_FAILED"
    """A field that will not do is left out of its row, and listed; a mandatory one takes the row with it."""


class ImportFormat(StrEnum):
    """How a file holds its rows."""

    CSV = "CSV"
    JSON_LINES = "JSON_LINES"
    EXCEL = "EXCEL"


class MergeRule(StrEnum):
    """What a given value does to one that is stored already. An empty cell never changes anything."""

    KEEP = "KEEP"
    """What is stored stays, even if it is nothing."""
    OVERWRITE = "OVERWRITE"
    """What is given replaces it."""
    FILL = "FILL"
    """What is given is taken where nothing is stored."""


@dataclass(frozen=True)
class ImportOptions:
    """What can be said about an import besides its file and policy."""

    format: ImportFormat | None = None
    merge: Mapping[str, MergeRule] = field(default_factory=dict)
    mandatory: tuple[str, ...] = ()
    dry_run: bool = False
    quality_gate: bool = False

    def arguments(self, file: File, key: str, columns: Mapping[str, Any]) -> dict[str, Any]:
        """As the run keeps them.

        Raises:
            Invalid: a column is named that this kind of file has not.
        """
        for place, names in (("merge", self.merge), ("mandatory", self.mandatory)):
            for name in names:
                if name not in columns:
                    known = ", ".join(columns)
                    raise Invalid(f"there is no such column; the columns are {known}", field=f"input.{place}")
        if key in self.merge:
            raise Invalid(f"{key} is the key, which nothing is merged into", field="input.merge")
        return {
            "format": (self.format or format_of(file)).value,
            "merge": {name: rule.value for name, rule in sorted(self.merge.items())},
            "mandatory": sorted(set(self.mandatory)),
            "dry_run": self.dry_run,
            "quality_gate": self.quality_gate,
        }


def format_of(file: File) -> ImportFormat:
    """By the file's name or, if that says nothing, its media type; CSV where neither does."""
    name, media = file.name.lower(), file.media_type.lower()
    if name.endswith((".jsonl", ".ndjson")) or "ndjson" in media or "jsonl" in media:
        return ImportFormat.JSON_LINES
    if name.endswith(".xlsx") or "spreadsheetml" in media:
        return ImportFormat.EXCEL
    return ImportFormat.CSV
