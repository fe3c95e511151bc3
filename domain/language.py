"""The two languages that staff and customers read."""

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """A language of labels, templates, reports and pages."""

    EN = "EN"
    ZH_CN = "ZH_CN"


@dataclass(frozen=True)
class Label:
    """One text in both languages."""

    en: str
    zh: str

    def __call__(self, language: Language) -> str:
        return self.zh if language is Language.ZH_CN else self.en
