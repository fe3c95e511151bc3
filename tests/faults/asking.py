"""Orders asked for once each, without the patience of a client, and what became of them."""

import httpx2

from tests.faults.town import Town


def send(town: Town, key: str, seconds: float = 20) -> httpx2.Response:
    """One order, asked for once."""
    document = (
        f'mutation {{ orderRecord(idempotencyKey: "{key}", input: {{externalId: "{key}", '
        f'customerExternalId: "C-{key}", orderedAt: "2025-02-01T10:00:00+08:00", '
        'amount: {amount: "10.00", currency: "CNY"}}) { __typename ... on OrderRecordPayload { order { id } } } }'
    )
    return httpx2.post(
        f"{town.urls[0]}/graphql",
        json={"query": document},
        headers={"Authorization": f"Bearer {town.key}"},
        timeout=seconds,
    )


def orders(town: Town, prefix: str) -> list[str]:
    found = town.look(f"SELECT external_id FROM orders WHERE external_id LIKE '{prefix}%' ORDER BY id")
    return [name for (name,) in found]
