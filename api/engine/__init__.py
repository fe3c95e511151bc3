"""The compiled read path: queries are planned once and answered by closures, beside graphql-core.

A text is cut into its shape and its literals (`lifting`). For each shape there is a plan (`plan`): the
document, parsed and valid, what it costs (`api.limits`), its variables (`variables`) and, for each
choice of `@skip` and `@include`, closures that complete a level of the selection at a time
(`completion`, with `fields` that call resolvers and `leaves` that serialise). Where the domain's answer
is rows of a table it is left unread, and a level is read with one statement for the `columns` that it
shows: `rows` are such levels, `pages` the connections over them. `engine` puts this together: whatever
is declined, or comes upon an error, is answered by graphql-core as if none of this were here. The events of a
subscription are completed by the same closures (`events`).
"""

from api.engine.engine import Engine
from api.engine.events import Executor

__all__ = ["Engine", "Executor"]
