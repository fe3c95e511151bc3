"""How many subscriptions are open at once for one workspace, in this process."""

import contextlib
from collections import Counter
from collections.abc import Iterator

from api.limits import limited


class Open:
    """The subscriptions that are open, however many connections they came by."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: Counter[int] = Counter()

    @contextlib.contextmanager
    def one_more(self, workspace_id: int) -> Iterator[None]:
        """Count one in, for the time of the block.

        Raises:
            GraphQLError: LIMITED; then none is counted.
        """
        if self._of[workspace_id] >= self._most:
            raise limited(
                "The subscriptions of this workspace",
                "streamsPerWorkspace",
                self._most,
                self._of[workspace_id] + 1,
            )
        self._of[workspace_id] += 1
        try:
            yield
        finally:
            self._of[workspace_id] -= 1
            if not self._of[workspace_id]:
                del self._of[workspace_id]
