"""The lines that the demonstration prints: where it is, what is in it, and what to try."""

from api.client import Client

STAGES = ("NEW", "GROWTH", "MATURE", "SILENT", "CHURNED")
LEVELS = ("HIGH", "MEDIUM", "ORDINARY")


async def show(client: Client) -> list[str]:
    """The lines, with `{url}` and `{key}` to be filled in."""
    data = await client.ask(
        "{ dashboard { customerCount orderCount orderTotal { amount currency } } "
        "strategyMatrix { lifecycleStage valueLevel count } "
        "segments(where: {kind: {eq: RFM_TIER}}) { nodes { key memberCount } } "
        "own: segments(where: {kind: {eq: RULE}}) { nodes { key memberCount } } "
        "tasks(where: {state: {eq: OPEN}}) { totalCount } "
        # Never the first touch: whoever completes that one waits in vain for its escalation.
        "visits: tasks(where: {state: {eq: OPEN}, kind: {eq: VISIT}}, first: 1) { nodes { id } } "
        "reports(first: 1) { nodes { html { url } } } }"
    )
    board = data["dashboard"]
    cells = {(c["lifecycleStage"], c["valueLevel"]): c["count"] for c in data["strategyMatrix"]}
    tiers = "  ".join(
        f"{s['key'].removeprefix('tier:')} {s['memberCount']:,}" for s in data["segments"]["nodes"]
    )
    own = "  ".join(f"{s['key']} {s['memberCount']:,}" for s in data["own"]["nodes"])
    total = board["orderTotal"]
    task = next(iter(data["visits"]["nodes"]), {"id": "…"})
    report = next(iter(data["reports"]["nodes"]), {"html": {"url": "…"}})
    head = "Authorization: Bearer {key}"
    return [
        "",
        f"Careline serves {board['customerCount']:,} customers and {board['orderCount']:,} orders "
        f"({total['currency']} {float(total['amount']):,.2f}) at {{url}}/graphql",
        "API key (owner): {key}   also in .data/demo.json",
        "customers by stage and value  " + "".join(f"{level:>10}" for level in LEVELS),
        *(f"  {stage:<28}" + "".join(f"{cells[stage, level]:>10,}" for level in LEVELS) for stage in STAGES),
        f"care tiers  {tiers}   open tasks {data['tasks']['totalCount']:,}",
        f"segments    {own}",
        f"report        curl -s {{url}}{report['html']['url']} -H '{head}' -o report.html",
        f"query         curl -s {{url}}/graphql -H '{head}' -H 'Content-Type: application/json' -d "
        '\'{"query":"{ tasks(first: 3) { nodes { id title dueAt assignee { name } customer { externalId rfm { tier } } } } }"}\'',
        f"subscription  curl -sN {{url}}/graphql -H '{head}' -H 'Accept: text/event-stream' "
        "-H 'Content-Type: application/json' -d "
        '\'{"query":"subscription { taskChanged { change task { title state rung: escalations { rung } } } }"}\'',
        f"mutation      curl -s {{url}}/graphql -H '{head}' -H 'Content-Type: application/json' -d "
        f'\'{{"query":"mutation {{ taskComplete(id: \\"{task["id"]}\\", input: {{result: REACHED}}) '
        "{ __typename } }\"}'",
    ]
