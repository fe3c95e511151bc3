"""A database is named by a URL, whatever letters its role, password and name are made of."""

from urllib.parse import quote

import pytest

from domain import db
from domain.db.connection import config
from tests.servers import Postgres

STRANGE = "p@ss:w/o%rd#1 é"


def test_what_is_percent_encoded_in_a_url_is_decoded() -> None:
    url = (
        f"postgres://{quote('care@line')}:{quote(STRANGE, safe='')}@db.test:6000/{quote('the/base', safe='')}"
    )
    credentials = config(url)["connections"]["postgres"]["credentials"]
    assert (credentials["user"], credentials["password"]) == ("care@line", STRANGE)
    assert (credentials["host"], credentials["port"]) == ("db.test", 6000)
    assert credentials["database"] == "the/base"
    bare = config("postgres:///careline")["connections"]["postgres"]["credentials"]
    assert (bare["user"], bare["password"], bare["database"]) == (None, None, "careline")


async def test_a_password_of_any_letters_opens_the_database(postgres_server: Postgres) -> None:
    postgres_server.sql('CREATE ROLE "care@line" LOGIN PASSWORD \'' + STRANGE + "'")
    postgres_server.create_database(STRANGE)
    where = f"127.0.0.1:{postgres_server.port}/{quote(STRANGE, safe='')}"
    try:
        async with db.open_database(f"postgres://care%40line:{quote(STRANGE, safe='')}@{where}"):
            assert await db.one("SELECT current_user AS me, current_database() AS here") == {
                "me": "care@line",
                "here": STRANGE,
            }
    finally:
        postgres_server.drop_database(STRANGE)
        postgres_server.sql('DROP ROLE "care@line"')


async def test_a_password_is_not_shown_when_the_database_does_not_open(postgres_server: Postgres) -> None:
    url = f"postgres://nobody:{quote(STRANGE, safe='')}@127.0.0.1:{postgres_server.port}/postgres"
    with pytest.raises(db.Unreachable) as refused:
        async with db.open_database(url):
            pass
    assert "nobody:…@" in str(refused.value) and "ss" not in str(refused.value).partition("/postgres")[0]
