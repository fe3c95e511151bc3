"""What becomes of a merged record's alerts: they stay, and those of the one kept are judged anew."""

from domain import customers
from domain.customers import Fate

customers.hand_over("alerts", Fate.STAYS)
customers.hand_over("contact_streaks", Fate.STAYS)
customers.computed_about_customers(contact_streaks="customer_id")
