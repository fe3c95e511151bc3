"""How healthy the relationship with each customer is. (`api.health` is the process's own health.)"""

from api.customer_health.fields import HealthMutations, HealthQueries

__all__ = ["HealthMutations", "HealthQueries"]
