"""Customers, their orders, leads and events as clients see them."""

from api.customers.changes import CustomerMutations
from api.customers.fields import CustomerQueries
from api.customers.standing import StandingMutations
from api.customers.types import BehaviourEvent, Customer, Lead, Order, RowError

__all__ = [
    "BehaviourEvent",
    "Customer",
    "CustomerMutations",
    "CustomerQueries",
    "Lead",
    "Order",
    "RowError",
    "StandingMutations",
]
