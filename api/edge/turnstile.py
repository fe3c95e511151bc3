"""How many connections stay open at once in this process: for one key, for one workspace, and in all."""

from collections import Counter
from collections.abc import Callable, Sequence

from api.limits import limited
from domain.access import Principal

Place = tuple[str, str]


class Turnstile:
    """Lets a long connection in, or says which limit it meets."""

    def __init__(self, per_key: int, per_workspace: int, per_process: int) -> None:
        self._most = {
            "socketsPerKey": per_key,
            "socketsPerWorkspace": per_workspace,
            "socketsPerProcess": per_process,
        }
        self._open: Counter[Place] = Counter()

    def arrive(self) -> Callable[[], None]:
        """Count a connection in, whoever it is of; what is returned counts it out.

        Raises:
            GraphQLError: LIMITED.
        """
        return self._enter([("The connections of this server", ("socketsPerProcess", ""))])

    def enter(self, principal: Principal) -> Callable[[], None]:
        """Count a connection in for whom it is; what is returned counts it out.

        Raises:
            GraphQLError: LIMITED.
        """
        workspace = str(principal.workspace_id)
        return self._enter(
            [
                ("The connections of this caller", ("socketsPerKey", f"{workspace}:{principal.label}")),
                ("The connections of this workspace", ("socketsPerWorkspace", workspace)),
            ]
        )

    def _enter(self, places: Sequence[tuple[str, Place]]) -> Callable[[], None]:
        for what, place in places:
            if self._open[place] >= self._most[place[0]]:
                raise limited(what, place[0], self._most[place[0]], self._open[place] + 1)
        self._open.update(place for _, place in places)
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._open.subtract(place for _, place in places)
                for _, place in places:
                    if not self._open[place]:
                        del self._open[place]

        return leave
