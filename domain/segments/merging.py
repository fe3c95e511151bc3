"""What becomes of a merged record's places: picks are of the customer, placements of the record."""

from domain import customers
from domain.customers import Fate

customers.hand_over("memberships", Fate.STAYS)
customers.hand_over("placement_drafts", Fate.STAYS)
customers.hand_over("placement_marks", Fate.STAYS)
customers.hand_over("placements", Fate.STAYS)
customers.hand_over("segment_marks", Fate.STAYS)
customers.hand_over("segment_moves", Fate.STAYS)
customers.hand_over("segment_picks", Fate.COPIES, unless=("segment_id",))
