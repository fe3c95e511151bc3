"""Uploads and results: written once, in chunks, and readable only when whole."""

from domain.files.actions import CHUNK, Upload, append, begin, discard, finish, prune, save
from domain.files.models import File
from domain.files.queries import get, read

__all__ = [
    "CHUNK",
    "File",
    "Upload",
    "append",
    "begin",
    "discard",
    "finish",
    "get",
    "prune",
    "read",
    "save",
]
