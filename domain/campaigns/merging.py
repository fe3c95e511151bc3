"""What becomes of a merged record's enrolments: a campaign that reached both keeps both apart."""

from domain import customers
from domain.customers import Fate

customers.hand_over("enrolments", Fate.MOVES, unless=("campaign_id",))
