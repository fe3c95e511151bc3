"""Where GraphQL meets the network: what comes in is checked, what goes out is well formed."""

from api.edge.documents import BadDocuments, Documents, read_documents
from api.edge.guard import Guard
from api.edge.numbering import HEADER, Numbered
from api.edge.view import Authenticate, MakeContext, View

__all__ = [
    "HEADER",
    "Authenticate",
    "BadDocuments",
    "Documents",
    "Guard",
    "MakeContext",
    "Numbered",
    "View",
    "read_documents",
]
