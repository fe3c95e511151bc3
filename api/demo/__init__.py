"""The demonstration: a workspace filled with real orders, through the API as any client would."""

from api.demo.play import play

__all__ = ["play"]
