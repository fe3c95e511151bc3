"""One statement per relation and level, whatever the page size."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, TypeVar

from strawberry.dataloader import DataLoader

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Fetch = Callable[[int, list[K]], Awaitable[Mapping[K, V]]]


class Loaders:
    """The loaders of one operation. A fetch takes a workspace and keys, and gives a mapping."""

    def __init__(self, workspace_id: int) -> None:
        self._workspace_id = workspace_id
        self._loaders: dict[Any, DataLoader[Any, Any]] = {}
        self._shared: dict[Any, DataLoader[Any, Any]] | None = None

    async def load(self, fetch: Fetch[K, V], key: K, name: Hashable | None = None) -> V | None:
        """One row; `name` stands for the fetch where that is made anew for each call."""
        # A fetch knows a workspace and keys; what a caller may see is in a name, and stays this operation's.
        loaders = self._shared if name is None and self._shared is not None else self._loaders
        loader = loaders.get(name or fetch)
        if loader is None:

            async def batch(keys: list[K]) -> list[V | None]:
                found = await fetch(self._workspace_id, keys)
                return [found.get(key) for key in keys]

            loader = loaders[name or fetch] = DataLoader(load_fn=batch, max_batch_size=500)
        loading = loader.load(key)
        # Who shares it waits for it too: one that is out of time must not take it from the others.
        found: V | None = await (asyncio.shield(loading) if loaders is self._shared else loading)
        return found

    def forget(self, shared: dict[Any, DataLoader[Any, Any]] | None = None) -> None:
        """Forget what was read: a subscription's next event must see the rows as they are then.

        From here on rows are read together with all who have the same `shared`.
        """
        self._loaders.clear()
        self._shared = shared
