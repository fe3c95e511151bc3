"""Who the customers are, what they bought and did, and how their data comes in."""

from domain.customers.behaviour import record_event
from domain.customers.importing import ImportPolicy, import_customers, import_orders
from domain.customers.leads import record_lead
from domain.customers.models import (
    BehaviourEvent,
    Customer,
    ExclusionReason,
    Lead,
    LeadPotential,
    LeadSource,
    Order,
    OrderStatus,
    RowError,
)
from domain.customers.orders import record_order, set_order_status
from domain.customers.profile import cancel_relationship, set_excluded, share_out, upsert
from domain.customers.queries import (
    GrandTotals,
    by_external_id,
    by_ids,
    events_page,
    exclusion_reasons,
    find,
    find_external,
    get,
    get_external,
    grand_totals,
    leads_by_ids,
    leads_page,
    look_alikes,
    orders_by_ids,
    orders_page,
    page,
    row_errors_page,
    tagged,
    tags_of,
)
from domain.customers.rules import UNSET
from domain.customers.timeline import TimelineEntry, timeline, timelines
from domain.customers.totals import note_interaction

__all__ = [
    "UNSET",
    "BehaviourEvent",
    "Customer",
    "ExclusionReason",
    "GrandTotals",
    "ImportPolicy",
    "Lead",
    "LeadPotential",
    "LeadSource",
    "Order",
    "OrderStatus",
    "RowError",
    "TimelineEntry",
    "by_external_id",
    "by_ids",
    "cancel_relationship",
    "events_page",
    "exclusion_reasons",
    "find",
    "find_external",
    "get",
    "get_external",
    "grand_totals",
    "import_customers",
    "import_orders",
    "leads_by_ids",
    "leads_page",
    "look_alikes",
    "note_interaction",
    "orders_by_ids",
    "orders_page",
    "page",
    "record_event",
    "record_lead",
    "record_order",
    "row_errors_page",
    "set_excluded",
    "set_order_status",
    "share_out",
    "tagged",
    "tags_of",
    "timeline",
    "timelines",
    "upsert",
]
