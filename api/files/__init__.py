"""Files over plain HTTP: uploads in, reports and tables out."""

from api.files.routes import routes

__all__ = ["routes"]
