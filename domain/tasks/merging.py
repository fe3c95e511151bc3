"""What becomes of the work about a merged record: it is about the customer who is kept."""

from domain import customers
from domain.customers import Fate

customers.hand_over("tasks", Fate.MOVES)
