"""Where GraphQL meets the network: what comes in is checked, what goes out is well formed."""

from api.edge.answers import RATE_HEADERS
from api.edge.documents import BadDocuments, Documents, read_documents
from api.edge.guard import Guard
from api.edge.numbering import HEADER, Numbered
from api.edge.tracing import Traced
from api.edge.turnstile import Turnstile
from api.edge.view import Authenticate, MakeContext, View

__all__ = [
    "HEADER",
    "RATE_HEADERS",
    "Authenticate",
    "BadDocuments",
    "Documents",
    "Guard",
    "MakeContext",
    "Numbered",
    "Traced",
    "Turnstile",
    "View",
    "read_documents",
]
