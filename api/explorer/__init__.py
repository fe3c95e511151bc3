"""What a browser finds at /graphql: GraphiQL, which this process serves whole, or where to read on."""

from api.explorer.page import documentation, explorer, routes

__all__ = ["documentation", "explorer", "routes"]
