"""Customers, their orders, leads and events as clients see them."""

from api.customers.changes import CustomerMutations
from api.customers.fields import CustomerQueries
from api.customers.import_reports import ImportReport
from api.customers.imports import ImportMutations
from api.customers.merging import CustomerMerge, MergeMutations, MergeQueries
from api.customers.searching import SearchQueries
from api.customers.standing import StandingMutations
from api.customers.types import BehaviourEvent, Customer, Lead, Order, RowError

__all__ = [
    "BehaviourEvent",
    "Customer",
    "CustomerMerge",
    "CustomerMutations",
    "CustomerQueries",
    "ImportMutations",
    "ImportReport",
    "Lead",
    "MergeMutations",
    "MergeQueries",
    "Order",
    "RowError",
    "SearchQueries",
    "StandingMutations",
]
