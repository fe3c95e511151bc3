"""`python -m tests.stories.newer migrate`: the command line of the next version."""

from typing import Any

from api.__main__ import main
from domain.db import migrate
from domain.db.connection import APP, config


def newer(*given: Any, **behaviour: Any) -> dict[str, Any]:
    made = config(*given, **behaviour)
    made["apps"][APP]["migrations"] = "tests.stories.newer"
    return made


if __name__ == "__main__":
    migrate.config = newer
    main()
