"""Who the customers are, what they bought and did, and how their data comes in."""

from domain.customers.behaviour import record_event
from domain.customers.choices import ImportFormat, ImportOptions, ImportPolicy, MergeRule
from domain.customers.duplicates import DuplicateGroup, DuplicateReason, duplicates, look_alikes
from domain.customers.handing import Fate, Settling, Value, hand_over, on_merge
from domain.customers.import_reports import FaultCount, fault_counts, import_reports
from domain.customers.importing import perform as perform_import
from domain.customers.imports import import_customers, import_events, import_orders
from domain.customers.imports import queue as queue_import
from domain.customers.leads import record_lead
from domain.customers.merging import MergeField, MergePreview, living, merge, undo
from domain.customers.merging import preview as preview_merge
from domain.customers.models import (
    BehaviourEvent,
    Customer,
    CustomerMerge,
    ExclusionReason,
    ImportReport,
    Lead,
    LeadPotential,
    LeadSource,
    MergeState,
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
    merges_of,
    orders_by_ids,
    orders_page,
    page,
    row_errors_page,
    tagged,
    tags_of,
)
from domain.customers.rules import UNSET, external_id
from domain.customers.searching import Match, SearchField, search
from domain.customers.sheets import Fault, Row, Sheet, moment
from domain.customers.takers import Change, Screened, Taken, Taker
from domain.customers.timeline import TimelineEntry, timeline, timelines
from domain.customers.totals import counts_as_interaction, note_interaction, note_interactions
from domain.customers.undoing import computed_about_customers, undo_import

__all__ = [
    "UNSET",
    "BehaviourEvent",
    "Change",
    "Customer",
    "CustomerMerge",
    "DuplicateGroup",
    "DuplicateReason",
    "ExclusionReason",
    "Fate",
    "Fault",
    "FaultCount",
    "GrandTotals",
    "ImportFormat",
    "ImportOptions",
    "ImportPolicy",
    "ImportReport",
    "Lead",
    "LeadPotential",
    "LeadSource",
    "Match",
    "MergeField",
    "MergePreview",
    "MergeRule",
    "MergeState",
    "Order",
    "OrderStatus",
    "Row",
    "RowError",
    "Screened",
    "SearchField",
    "Settling",
    "Sheet",
    "Taken",
    "Taker",
    "TimelineEntry",
    "Value",
    "by_external_id",
    "by_ids",
    "cancel_relationship",
    "computed_about_customers",
    "counts_as_interaction",
    "duplicates",
    "events_page",
    "exclusion_reasons",
    "external_id",
    "fault_counts",
    "find",
    "find_external",
    "get",
    "get_external",
    "grand_totals",
    "hand_over",
    "import_customers",
    "import_events",
    "import_orders",
    "import_reports",
    "leads_by_ids",
    "leads_page",
    "living",
    "look_alikes",
    "merge",
    "merges_of",
    "moment",
    "note_interaction",
    "note_interactions",
    "on_merge",
    "orders_by_ids",
    "orders_page",
    "page",
    "perform_import",
    "preview_merge",
    "queue_import",
    "record_event",
    "record_lead",
    "record_order",
    "row_errors_page",
    "search",
    "set_excluded",
    "set_order_status",
    "share_out",
    "tagged",
    "tags_of",
    "timeline",
    "timelines",
    "undo",
    "undo_import",
    "upsert",
]
