"""A small client of Careline for Python 3.11 or newer: nothing to install. Copy it, change it."""

import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any


class Failed(Exception):
    """What Careline answered instead of data; `code` is the first error's `extensions.code`."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(error["message"] for error in errors))
        self.errors = errors
        self.extensions: dict[str, Any] = errors[0].get("extensions", {})
        self.code = self.extensions.get("code")

    @property
    def wait(self) -> float | None:
        """Seconds after which to try again; none where that is no use."""
        return self.extensions.get("retryAfterSeconds") or (1.0 if self.code == "UNAVAILABLE" else None)


class Refused(Exception):
    """An expected no of the business: each reason has a code, a message, and a path from the arguments."""

    def __init__(self, refusal: dict[str, Any]) -> None:
        self.reasons: list[dict[str, Any]] = refusal["userErrors"]
        super().__init__("; ".join(reason["message"] for reason in self.reasons))


class Careline:
    def __init__(self, url: str, key: str) -> None:
        self.url = f"{url}/graphql"
        self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}

    def ask(self, query: str, tries: int = 5, **variables: Any) -> dict[str, Any]:
        """The data of a query. Waits and tries again while Careline says that it is too much or too early."""
        while True:
            with self._post(query, variables, "application/graphql-response+json") as answer:
                told = json.load(answer)
            if "errors" not in told:
                data: dict[str, Any] = told["data"]
                return data
            failed, tries = Failed(told["errors"]), tries - 1
            if failed.wait is None or not tries:
                raise failed
            time.sleep(failed.wait)

    def change(self, mutation: str, **variables: Any) -> dict[str, Any]:
        """The payload of a mutation of one field, or `Refused`: select `__typename` and `... on Refusal`."""
        payload: dict[str, Any]
        (payload,) = self.ask(mutation, **variables).values()
        if payload["__typename"] == "Refusal":
            raise Refused(payload)
        return payload

    def all(self, query: str, find: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page. The query takes `$after`; `find` picks out the connection."""
        after = None
        while True:
            found = find(self.ask(query, after=after))
            yield from found["nodes"]
            if not found["pageInfo"]["hasNextPage"]:
                return
            after = found["pageInfo"]["endCursor"]

    def follow(self, subscription: str, after: str | None = None) -> Iterator[dict[str, Any]]:
        """Every change from a cursor on, or from now on, for ever, through lost connections.

        The subscription takes `$after` and selects `cursor`. Raises `Failed`; with the code
        RESYNC_REQUIRED the cursor is too old: read everything anew, then follow without one.
        """
        wait = 0.1
        while True:
            try:
                for change in self._events(subscription, after):
                    after, wait = change["cursor"], 0.1
                    yield change
            except Failed as error:
                if error.wait is None:
                    raise
            except OSError:
                pass  # the connection was lost
            time.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311
            wait = min(wait * 2, 30)

    def _events(self, query: str, after: str | None) -> Iterator[dict[str, Any]]:
        with self._post(query, {"after": after}, "text/event-stream") as answer:
            if not answer.headers["Content-Type"].startswith("text/event-stream"):
                raise Failed(json.load(answer)["errors"])
            for line in answer:
                if not line.startswith(b"data: {"):
                    continue
                result = json.loads(line[len(b"data: ") :])
                if "errors" in result:
                    raise Failed(result["errors"])
                yield next(iter(result["data"].values()))

    def _post(self, query: str, variables: dict[str, Any], accept: str) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.url, body, {**self.headers, "Accept": accept})  # noqa: S310
        try:
            # Longer than the 15 seconds in which a quiet stream says that it is there.
            return urllib.request.urlopen(request, timeout=45)  # noqa: S310
        except urllib.error.HTTPError as error:
            return error  # a status with an answer in GraphQL's own words
