"""What the environment says is checked at start, and what is wrong is named."""

import pytest

from domain.settings import BadSettings, LogStyle, Profile, from_environment

NAMES = [
    "DATABASE_URL",
    "REDIS_URL",
    "CARELINE_SECRET_KEY",
    "CARELINE_HOST",
    "CARELINE_PORT",
    "CARELINE_LOG",
    "CARELINE_PROFILE",
    "CARELINE_CORS_ORIGINS",
    "CARELINE_UPLOAD_LIMIT_BYTES",
    "CARELINE_WORKER_THREADS",
    "CARELINE_LEASE_SECONDS",
]
POSTGRES = "postgres://app:pw@db:5432/careline"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_without_any_variable_it_runs_embedded() -> None:
    settings = from_environment()
    assert settings.embedded_database
    assert (settings.redis_url, settings.port, settings.profile) == (None, 8000, Profile.DEVELOPMENT)
    assert settings.log_style is LogStyle.TEXT


@pytest.mark.parametrize(
    ("profile", "said", "style"),
    [
        ("production", None, LogStyle.JSON),
        ("production", "", LogStyle.JSON),
        ("production", "text", LogStyle.TEXT),
        ("development", None, LogStyle.TEXT),
        ("development", "json", LogStyle.JSON),
    ],
)
def test_logs_are_json_in_production_unless_set(
    monkeypatch: pytest.MonkeyPatch, profile: str, said: str | None, style: LogStyle
) -> None:
    monkeypatch.setenv("CARELINE_PROFILE", profile)
    monkeypatch.setenv("CARELINE_SECRET_KEY", "k" * 32)
    if said is not None:
        monkeypatch.setenv("CARELINE_LOG", said)
    assert from_environment().log_style is style


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "DATABASE_URL": POSTGRES,
        "REDIS_URL": "rediss://cache:6379/1",
        "CARELINE_SECRET_KEY": "k" * 32,
        "CARELINE_HOST": "::1",
        "CARELINE_PORT": "0",
        "CARELINE_LOG": "json",
        "CARELINE_PROFILE": "production",
        "CARELINE_CORS_ORIGINS": "https://a.test, https://b.test,",
        "CARELINE_UPLOAD_LIMIT_BYTES": "1000",
        "CARELINE_WORKER_THREADS": "2",
        "CARELINE_LEASE_SECONDS": "1.5",
    }
    assert set(given) == set(NAMES)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = from_environment()
    assert not settings.embedded_database
    assert settings.redis_url == "rediss://cache:6379/1"
    assert settings.secret_key.get_secret_value() == "k" * 32
    assert (settings.host, settings.port, settings.log_style) == ("::1", 0, LogStyle.JSON)
    assert settings.profile is Profile.PRODUCTION
    assert settings.cors_origins == ("https://a.test", "https://b.test")
    assert (settings.upload_limit_bytes, settings.worker_threads, settings.lease_seconds) == (1000, 2, 1.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://db/careline"),
        ("DATABASE_URL", "careline.db"),
        ("DATABASE_URL", "sqlite://careline.db"),
        ("DATABASE_URL", "sqlite:careline.db"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///folder/"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "postgres://app:pw@db:port/careline"),
        ("CARELINE_SECRET_KEY", "k" * 31),
        ("CARELINE_CORS_ORIGINS", "foo"),
        ("CARELINE_CORS_ORIGINS", "https://a.test, b.test"),
        ("CARELINE_CORS_ORIGINS", "https://a.test/path"),
        ("CARELINE_CORS_ORIGINS", "https://me@a.test"),
        ("CARELINE_CORS_ORIGINS", "https://a.test:port"),
        ("CARELINE_CORS_ORIGINS", "https://["),
        ("REDIS_URL", "http://cache"),
        ("CARELINE_PORT", "eighty"),
        ("CARELINE_PORT", "70000"),
        ("CARELINE_PORT", "-1"),
        ("CARELINE_LOG", "xml"),
        ("CARELINE_PROFILE", "staging"),
        ("CARELINE_UPLOAD_LIMIT_BYTES", "0"),
        ("CARELINE_UPLOAD_LIMIT_BYTES", "1 GB"),
        ("CARELINE_WORKER_THREADS", "1"),
        ("CARELINE_WORKER_THREADS", "65"),
        ("CARELINE_LEASE_SECONDS", "0.5"),
        ("CARELINE_LEASE_SECONDS", "soon"),
        ("CARELINE_LEASE_SECONDS", "3601"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as refused:
        from_environment()
    lines = str(refused.value).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"{name}: ")
    assert len(lines[0]) > len(name) + 10


def test_all_bad_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARELINE_PORT", "x")
    monkeypatch.setenv("CARELINE_LOG", "x")
    monkeypatch.setenv("DATABASE_URL", "x")
    with pytest.raises(BadSettings) as refused:
        from_environment()
    named = {line.partition(":")[0] for line in str(refused.value).splitlines()}
    assert named == {"CARELINE_PORT", "CARELINE_LOG", "DATABASE_URL"}


def test_redis_beside_sqlite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://cache:6379/0")
    with pytest.raises(BadSettings, match=r"REDIS_URL needs PostgreSQL: set DATABASE_URL"):
        from_environment()
    monkeypatch.setenv("DATABASE_URL", POSTGRES)
    assert from_environment().redis_url == "redis://cache:6379/0"


@pytest.mark.parametrize("key", ["", "k" * 31])
def test_production_without_a_proper_secret_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("CARELINE_PROFILE", "production")
    monkeypatch.setenv("CARELINE_SECRET_KEY", key)
    with pytest.raises(BadSettings, match=r"CARELINE_SECRET_KEY:? must have at least 32 characters"):
        from_environment()


def test_in_development_a_secret_may_be_absent_but_not_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARELINE_SECRET_KEY", "")
    assert from_environment().secret_key.get_secret_value() == ""
    monkeypatch.setenv("CARELINE_SECRET_KEY", "hushhush")
    with pytest.raises(BadSettings, match="CARELINE_SECRET_KEY: must have at least 32") as refused:
        from_environment()
    assert "hushhush" not in str(refused.value)


def test_a_database_url_with_two_slashes_is_told_how_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite://careline.db")
    with pytest.raises(
        BadSettings, match=r"DATABASE_URL: SQLite needs three slashes: sqlite:///careline\.db"
    ):
        from_environment()


def test_a_piece_of_a_password_is_not_taken_for_a_port_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://app:hush#hush@db/careline")
    with pytest.raises(BadSettings) as refused:
        from_environment()
    assert "hush" not in str(refused.value)


def test_origins_are_kept_as_browsers_send_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given = "HTTPS://App.Test/, https://b.test:443, http://localhost:3000, http://[::1]:80, *"
    monkeypatch.setenv("CARELINE_CORS_ORIGINS", given)
    assert from_environment().cors_origins == (
        "https://app.test",
        "https://b.test",
        "http://localhost:3000",
        "http://[::1]",
        "*",
    )


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARELINE_SECRET_KEY", "hush" * 10)
    assert "hush" not in repr(from_environment())
    monkeypatch.setenv("CARELINE_PORT", "x")
    with pytest.raises(BadSettings) as refused:
        from_environment()
    assert "hush" not in str(refused.value)


def test_an_empty_redis_url_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "")
    assert from_environment().redis_url is None


def test_a_setting_given_by_the_caller_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARELINE_PORT", "9000")
    assert from_environment(port=0).port == 0


def test_tokens_need_an_issuer_an_audience_and_keys_together() -> None:
    whole = {"CARELINE_JWT_ISSUER": "https://login.test/", "CARELINE_JWT_AUDIENCE": "careline"}
    whole["CARELINE_JWT_JWKS"] = "https://login.test/keys"
    settings = from_environment(**whole, CARELINE_JWT_ALGORITHMS="RS256, EdDSA")
    assert (settings.jwt_issuer, settings.jwt_algorithms) == ("https://login.test/", ("RS256", "EdDSA"))
    for name in whole:
        with pytest.raises(BadSettings, match=f"tokens need {name} too"):
            from_environment(**{other: value for other, value in whole.items() if other != name})
    for algorithms in ("HS256", "RS256,none", "", "rs256"):
        with pytest.raises(BadSettings, match="CARELINE_JWT_ALGORITHMS: name some of"):
            from_environment(**whole, CARELINE_JWT_ALGORITHMS=algorithms)
    bare = whole | {"CARELINE_JWT_JWKS": "http://login.test/keys"}
    assert from_environment(**bare).jwt_jwks == "http://login.test/keys"
    with pytest.raises(BadSettings, match="must be https:// in production"):
        from_environment(**bare, CARELINE_PROFILE="production", CARELINE_SECRET_KEY="k" * 32)


def test_where_webhooks_may_go_besides_is_a_list() -> None:
    assert from_environment().webhook_allowed == ()
    given = from_environment(CARELINE_WEBHOOK_ALLOWED="erp.internal:9443, 10.0.0.7")
    assert given.webhook_allowed == ("erp.internal:9443", "10.0.0.7")
