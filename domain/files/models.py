"""Uploads and results, kept in the database in chunks, so that every process of every machine sees them."""

from tortoise import Model, fields

from domain.db import Index, Instant, Reference
from domain.records import Record


class File(Record):
    name = fields.CharField(max_length=255)
    media_type = fields.CharField(max_length=120)
    purpose = fields.CharField(max_length=32)
    size = fields.BigIntField(default=0)
    sha256 = fields.CharField(max_length=64, default="")
    complete = fields.BooleanField(default=False)
    actor = fields.CharField(max_length=64)
    created_at = Instant()
    expires_at = Instant(null=True)

    class Meta:
        table = "files"
        indexes = [Index(("expires_at",), "files_expiry", where="expires_at IS NOT NULL")]


class FileChunk(Model):
    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    file_id = Reference("files")
    number = fields.IntField()
    data = fields.BinaryField()

    class Meta:
        table = "file_chunks"
        indexes = [Index(("workspace_id", "file_id", "number"), "file_chunks_number", unique=True)]
