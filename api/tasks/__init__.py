"""Follow-up work as clients see it."""

from api.tasks.capacity import CapacityQueries
from api.tasks.changes import TaskMutations
from api.tasks.fields import TaskQueries
from api.tasks.live import TaskSubscriptions
from api.tasks.types import Task

__all__ = ["CapacityQueries", "Task", "TaskMutations", "TaskQueries", "TaskSubscriptions"]
