"""Follow-up work as clients see it."""

from api.tasks.changes import TaskMutations
from api.tasks.fields import TaskQueries
from api.tasks.live import TaskSubscriptions
from api.tasks.types import Task

__all__ = ["Task", "TaskMutations", "TaskQueries", "TaskSubscriptions"]
