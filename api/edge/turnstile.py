"""How many connections stay open at once, for one key and for one workspace, in this process."""

from collections import Counter
from collections.abc import Callable

from api.limits import limited
from domain.access import Principal


class Turnstile:
    """Lets a long connection in, or says which limit it meets."""

    def __init__(self, per_key: int, per_workspace: int) -> None:
        self._most = {"socketsPerKey": per_key, "socketsPerWorkspace": per_workspace}
        self._open: Counter[tuple[str, str]] = Counter()

    def enter(self, principal: Principal) -> Callable[[], None]:
        """Count a connection in; what is returned counts it out.

        Raises:
            GraphQLError: LIMITED.
        """
        workspace = str(principal.workspace_id)
        mine = [
            ("The connections of this caller", ("socketsPerKey", f"{workspace}:{principal.label}")),
            ("The connections of this workspace", ("socketsPerWorkspace", workspace)),
        ]
        for what, place in mine:
            if self._open[place] >= self._most[place[0]]:
                raise limited(what, place[0], self._most[place[0]], self._open[place] + 1)
        self._open.update(place for _, place in mine)
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._open.subtract(place for _, place in mine)
                for _, place in mine:
                    if not self._open[place]:
                        del self._open[place]

        return leave
