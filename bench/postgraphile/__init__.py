"""PostGraphile beside Careline: the same rows from the same database, asked in its own schema's words."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from bench.stage import Child
from domain import db
from tests.servers.node import find_node, install
from tests.servers.process import spawn

HERE = Path(__file__).parent
OLDEST_NODE = 22
CUSTOMER = "id externalId name phone email registeredAt orderCount lastOrderAt version"
CUSTOMERS, TASKS = 'condition: {workspaceId: "1"}', 'condition: {workspaceId: "1", state: "OPEN"}'
# The only workspace there is; and of the tasks that are not done, all are open.
SHAPES = {
    "one row": f"""query ($externalId: String) {{
      allCustomers(first: 1, condition: {{workspaceId: "1", externalId: $externalId}}) {{
        nodes {{ {CUSTOMER} }} }} }}""",
    "page of 50": f"""query ($after: Cursor) {{
      allCustomers(first: 50, after: $after, orderBy: PRIMARY_KEY_ASC, {CUSTOMERS}) {{
        nodes {{ {CUSTOMER} }} pageInfo {{ hasNextPage endCursor }} }} }}""",
    "50 x 5": f"""query ($after: Cursor) {{
      allCustomers(first: 50, after: $after, orderBy: PRIMARY_KEY_ASC, {CUSTOMERS}) {{ nodes {{ id name
        tasksByWorkspaceIdAndCustomerId(first: 5, orderBy: DUE_AT_ASC) {{
          nodes {{ id title kind state priority dueAt version }} }} }} }} }}""",
    "100 tasks": f"""query ($after: Cursor) {{
      allTasks(first: 100, after: $after, orderBy: DUE_AT_ASC, {TASKS}) {{
        nodes {{ id title kind state priority dueAt
          customerByWorkspaceIdAndCustomerId {{ id name }} }} }} }}""",
}
_PLACES = {
    "allCustomers": f"orderBy: PRIMARY_KEY_ASC, {CUSTOMERS}",
    "allTasks": f"orderBy: DUE_AT_ASC, {TASKS}",
}


def place(shape: str, row: int) -> tuple[str, dict[str, int]]:
    """What to ask for the cursor of a row, so many into the list of a shape."""
    listed = "allTasks" if "allTasks" in SHAPES[shape] else "allCustomers"
    own = f"{listed}(first: 1, offset: $row, {_PLACES[listed]}) {{ pageInfo {{ endCursor }} }}"
    # Tasks are put in order for it, and it need not be far.
    return f"query ($row: Int!) {{ {own} }}", {"row": row % 1_000 if listed == "allTasks" else row}


def cursor(answer: bytes) -> str:
    (listed,) = json.loads(answer)["data"].values()
    return str(listed["pageInfo"]["endCursor"])


@contextmanager
def serving(url: str, port: int, connections: int) -> Iterator[Child]:
    """A PostGraphile on a database, for the time of the block; its packages are installed first.

    It knows nothing of a session's scope, so its sessions see all workspaces.
    """
    node = find_node(OLDEST_NODE)
    install(node, HERE)
    scope = urlencode({"options": f"-c {db.SCOPE}={db.EVERYWHERE}"}, quote_via=quote)
    told = json.dumps({"url": f"{url}?{scope}", "port": port, "connections": connections})
    child = Child(
        spawn(
            [node.program, HERE / "server.mjs", told],
            cwd=HERE,
            env={"GRAPHILE_ENV": "production", "NODE_ENV": "production"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    )
    try:
        child.wait_for("serving")
        yield child
    finally:
        child.end()
