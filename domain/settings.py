"""What the environment says about this process, checked once at start."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from domain.db.embedded import file_of, is_embedded

SHORTEST_SECRET = 32
SIGNATURES = frozenset(f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in (256, 384, 512)) | {
    "EdDSA",
    "Ed25519",
}
"""What a token may be signed with: a secret that both sides know is no signature."""
DEFAULT_PORTS = {"http": 80, "https": 443}


class Profile(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogStyle(StrEnum):
    TEXT = "text"
    JSON = "json"


class BadSettings(Exception):
    """One line for each setting that will not do, with the name of its environment variable."""


class Settings(BaseSettings):
    """Settings of one process. Every field has the environment variable of its alias."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    database_url: str = Field("sqlite:///.data/careline.db", alias="DATABASE_URL")
    database_connections: int = Field(16, alias="CARELINE_DATABASE_CONNECTIONS", ge=4, le=500)
    redis_url: str | None = Field(None, alias="REDIS_URL")
    secret_key: SecretStr = Field(SecretStr(""), alias="CARELINE_SECRET_KEY")
    host: str = Field("127.0.0.1", alias="CARELINE_HOST")
    port: int = Field(8000, alias="CARELINE_PORT", ge=0, le=65535)
    log: LogStyle = Field(LogStyle.TEXT, alias="CARELINE_LOG")
    profile: Profile = Field(Profile.DEVELOPMENT, alias="CARELINE_PROFILE")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field((), alias="CARELINE_CORS_ORIGINS")
    documents: Path | None = Field(None, alias="CARELINE_DOCUMENTS")
    documents_only: bool = Field(False, alias="CARELINE_DOCUMENTS_ONLY")
    debug: bool = Field(False, alias="CARELINE_DEBUG")
    upload_limit_bytes: int = Field(512 * 2**20, alias="CARELINE_UPLOAD_LIMIT_BYTES", gt=0)
    introspection: bool | None = Field(None, alias="CARELINE_INTROSPECTION")
    operation_seconds: float = Field(10, alias="CARELINE_OPERATION_SECONDS", ge=0.1, le=600)
    rate_points: int = Field(10_000, alias="CARELINE_RATE_POINTS", ge=0)
    rate_per_second: float = Field(1_000, alias="CARELINE_RATE_PER_SECOND", gt=0)
    streams_per_socket: int = Field(20, alias="CARELINE_STREAMS_PER_SOCKET", ge=1)
    streams_per_workspace: int = Field(1_000, alias="CARELINE_STREAMS_PER_WORKSPACE", ge=1)
    sockets_per_key: int = Field(10, alias="CARELINE_SOCKETS_PER_KEY", ge=1)
    sockets_per_workspace: int = Field(200, alias="CARELINE_SOCKETS_PER_WORKSPACE", ge=1)
    feed_days: float = Field(7, alias="CARELINE_FEED_DAYS", gt=0)
    worker_threads: int = Field(8, alias="CARELINE_WORKER_THREADS", ge=2, le=64)
    worker_queues: Annotated[tuple[str, ...], NoDecode] = Field(
        ("timers", "default", "recompute", "reports"), alias="CARELINE_WORKER_QUEUES"
    )
    metrics_port: int | None = Field(None, alias="CARELINE_METRICS_PORT", ge=0, le=65535)
    lease_seconds: float = Field(30, alias="CARELINE_LEASE_SECONDS", ge=1, le=3600)
    # OpenTelemetry's own variables, of which it reads more by itself; these decide whether it is asked.
    otlp_endpoint: str | None = Field(None, alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    otlp_traces_endpoint: str | None = Field(None, alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    otlp_protocol: str = Field("", alias="OTEL_EXPORTER_OTLP_PROTOCOL")
    traces_exporter: str = Field("otlp", alias="OTEL_TRACES_EXPORTER")
    otel_disabled: bool = Field(False, alias="OTEL_SDK_DISABLED")
    jwt_issuer: str = Field("", alias="CARELINE_JWT_ISSUER")
    jwt_audience: str = Field("", alias="CARELINE_JWT_AUDIENCE")
    jwt_jwks: str = Field("", alias="CARELINE_JWT_JWKS")
    jwt_algorithms: Annotated[tuple[str, ...], NoDecode] = Field(
        ("RS256", "ES256"), alias="CARELINE_JWT_ALGORITHMS"
    )
    jwt_workspace_claim: str = Field("", alias="CARELINE_JWT_WORKSPACE_CLAIM")
    webhook_allowed: Annotated[tuple[str, ...], NoDecode] = Field((), alias="CARELINE_WEBHOOK_ALLOWED")

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if is_embedded(url):
            file_of(url)
            return url
        try:
            known = urlsplit(url).scheme in ("postgres", "postgresql") and urlsplit(url).port != 0
        except ValueError:  # what it says of a bad port may be a piece of a password
            known = False
        if not known:
            raise ValueError("use sqlite:///path or postgres://user:password@host:port/name")
        return url

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, key: SecretStr) -> SecretStr:
        if 0 < len(key.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
        return key

    @field_validator("redis_url")
    @classmethod
    def _known_broker(cls, url: str | None) -> str | None:
        if not url:
            return None
        if urlsplit(url).scheme not in ("redis", "rediss"):
            raise ValueError("use redis://host:port/number")
        return url

    @field_validator("otlp_endpoint", "otlp_traces_endpoint")
    @classmethod
    def _known_collector(cls, url: str | None) -> str | None:
        if not url:
            return None
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("use http://host:4318")
        return url

    @field_validator("otlp_protocol")
    @classmethod
    def _spoken(cls, protocol: str) -> str:
        if protocol not in ("", "http/protobuf"):
            raise ValueError("only http/protobuf is spoken")
        return protocol

    @field_validator("traces_exporter")
    @classmethod
    def _known_exporter(cls, name: str) -> str:
        if name not in ("", "otlp", "none"):
            raise ValueError("use otlp or none")
        return name

    @field_validator("otel_disabled", mode="before")
    @classmethod
    def _only_true(cls, value: Any) -> Any:
        # As its specification has it: what is not `true` does not disable.
        return value.lower() == "true" if isinstance(value, str) else value

    @field_validator("metrics_port", "introspection", "documents", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("cors_origins", "worker_queues", "jwt_algorithms", "webhook_allowed", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(origin if origin == "*" else _as_browsers_send(origin) for origin in origins)

    @field_validator("jwt_algorithms")
    @classmethod
    def _signatures(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        if not algorithms or not SIGNATURES.issuperset(algorithms):
            raise ValueError(f"name some of {', '.join(sorted(SIGNATURES))}")
        return algorithms

    @model_validator(mode="after")
    def _tokens(self) -> "Settings":
        parts = {
            "CARELINE_JWT_ISSUER": self.jwt_issuer,
            "CARELINE_JWT_AUDIENCE": self.jwt_audience,
            "CARELINE_JWT_JWKS": self.jwt_jwks,
        }
        missing = [name for name, value in parts.items() if not value]
        if len(missing) in (1, 2):
            raise ValueError(f"tokens need {' and '.join(missing)} too")
        if self.profile is Profile.PRODUCTION and self.jwt_jwks.startswith("http://"):
            raise ValueError("CARELINE_JWT_JWKS must be https:// in production, a file, or the set itself")
        return self

    @model_validator(mode="after")
    def _together(self) -> "Settings":
        if self.redis_url and self.embedded_database:
            raise ValueError(
                "REDIS_URL needs PostgreSQL: set DATABASE_URL=postgres://…, or unset REDIS_URL "
                "(SQLite has one process, which needs no broker)"
            )
        if self.documents_only and self.documents is None:
            raise ValueError(
                "CARELINE_DOCUMENTS_ONLY needs CARELINE_DOCUMENTS: otherwise nothing is answered"
            )
        if self.profile is Profile.PRODUCTION and not self.secret_key.get_secret_value():
            raise ValueError(
                f"CARELINE_SECRET_KEY must have at least {SHORTEST_SECRET} characters in production"
            )
        return self

    @property
    def tracing(self) -> bool:
        """Whether spans are to be sent."""
        to = self.otlp_endpoint or self.otlp_traces_endpoint
        return to is not None and not self.otel_disabled and self.traces_exporter != "none"

    @property
    def introspects(self) -> bool:
        """Whether the schema may be asked for: where nothing is said, in development only."""
        return self.profile is Profile.DEVELOPMENT if self.introspection is None else self.introspection

    @property
    def embedded_database(self) -> bool:
        return is_embedded(self.database_url)

    @property
    def database_file(self) -> Path:
        """Of an embedded database."""
        return file_of(self.database_url)


def _as_browsers_send(origin: str) -> str:
    """In lower case and without its default port: a request's origin is compared letter by letter."""
    no = f"{origin} is no origin; use https://app.example.com or http://localhost:3000"
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        raise ValueError(no) from None
    more = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None
    if not parts.scheme or not parts.hostname or more:
        raise ValueError(no)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = "" if port in (None, DEFAULT_PORTS.get(parts.scheme)) else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def from_environment(**overrides: Any) -> Settings:
    """The settings of this process.

    Raises:
        BadSettings: naming each variable that is wrong, and what it should be.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"]) or "settings"
            lines.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
        raise BadSettings("\n".join(lines)) from None
