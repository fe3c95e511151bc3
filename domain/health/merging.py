"""What becomes of a merged record's scores: they stay, and the next scoring sees what is now the other's."""

from domain import customers
from domain.customers import Fate

customers.hand_over("health_moves", Fate.STAYS)
customers.hand_over("health_scores", Fate.STAYS)
customers.computed_about_customers(health_moves="customer_id", health_scores="customer_id")
