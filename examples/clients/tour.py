"""A tour of the API: `python tour.py URL KEY` asks, changes, is refused, reads pages and follows."""

import json
import sys
import uuid
from typing import Any

from careline import Careline, Refused

careline = Careline(*sys.argv[1:3])


def say(what: str, value: Any) -> None:
    print(json.dumps({what: value}), flush=True)


REFUSAL = "... on Refusal { userErrors { code message field } }"
TASK_CREATE = f"""mutation ($input: TaskCreateInput!, $idempotencyKey: String) {{
  taskCreate(input: $input, idempotencyKey: $idempotencyKey) {{ __typename
    ... on TaskCreatePayload {{ task {{ id title version }} }} {REFUSAL} }} }}"""

# Ask.
say("role", careline.ask("{ viewer { role workspace { name } } }")["viewer"]["role"])

# Change. With an idempotency key a request may be sent again: it is done once, and answered alike.
customer = careline.change(
    f"""mutation {{ customerUpsert(input: {{externalId: "TOUR-1", name: "Li Lei"}}) {{
      __typename ... on CustomerUpsertPayload {{ customer {{ id }} }} {REFUSAL} }} }}"""
)["customer"]
stamp = f"tour-{uuid.uuid4().hex[:12]}"


def create(title: str) -> dict[str, Any]:
    given = {"customerId": customer["id"], "title": title}
    made: dict[str, Any] = careline.change(TASK_CREATE, input=given, idempotencyKey=f"{stamp} {title}")[
        "task"
    ]
    return made


titles = [f"{stamp} {number}" for number in (1, 2, 3)]
tasks = [create(title) for title in titles]
say("once", create(titles[0])["id"] == tasks[0]["id"])

# Be refused: every reason has a code and the path of what it is about.
try:
    careline.change(TASK_CREATE, input={"customerId": customer["id"], "title": " "})
except Refused as refused:
    say("refused", [[reason["code"], ".".join(reason["field"])] for reason in refused.reasons])

# Read a list to its end, two at a time.
PAGE = """query ($after: String) {
  tasks(first: 2, after: $after) { nodes { title } pageInfo { hasNextPage endCursor } } }"""
seen = [task["title"] for task in careline.all(PAGE, lambda data: data["tasks"])]
say("pages", sorted(title for title in seen if title.startswith(stamp)) == titles)

# Follow from a cursor on. What happened while nobody listened is told first, and nothing twice.
COMPLETE = f"""mutation ($id: ID!, $version: Int) {{
  taskComplete(id: $id, expectedVersion: $version, input: {{result: REACHED}}) {{
    __typename ... on TaskCompletePayload {{ task {{ state }} }} {REFUSAL} }} }}"""
CHANGES = "subscription ($after: String) { taskChanged(after: $after) { cursor change task { id title } } }"
cursor = careline.ask("{ feed { head } }")["feed"]["head"]
for task in tasks:
    careline.change(COMPLETE, id=task["id"], version=task["version"])
    for change in careline.follow(CHANGES, cursor):
        cursor = change["cursor"]
        if change["change"] != "task.completed":
            continue  # their openings may come first: places are given after the commit
        say("heard", [change["change"], [each["id"] for each in tasks].index(change["task"]["id"])])
        break  # hang up, and come back with the cursor
