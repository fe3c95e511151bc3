"""Numbers and addresses come out in one spelling, or are refused in words that never quote them."""

import random

import pytest
from email_validator import validate_email

from domain.customers.addresses import _PLAIN_EMAIL, email, phone_in, region
from domain.customers.import_reports import guarded
from domain.errors import DomainError


@pytest.mark.parametrize(
    ("zone", "country"),
    [("Asia/Shanghai", "CN"), ("Europe/Berlin", "DE"), ("America/New_York", "US"), ("UTC", None)],
)
def test_the_country_is_that_of_the_zone(zone: str, country: str | None) -> None:
    assert region(zone) == country


@pytest.mark.parametrize(
    ("country", "written", "kept"),
    [
        ("CN", "138 0013 8000", "+8613800138000"),
        ("CN", "0086-13800138000", "+8613800138000"),
        ("CN", "(010) 6552 9988", "+861065529988"),
        ("CN", "+1 650 253 0000", "+16502530000"),
        ("DE", "030 123456", "+4930123456"),
        ("DE", "030 123456 ext. 7", "+4930123456x7"),
        (None, "+44 20 7031 3000", "+442070313000"),
    ],
)
def test_a_number_is_kept_as_the_world_dials_it(country: str | None, written: str, kept: str) -> None:
    assert phone_in(country)(written, "phone") == kept
    assert phone_in(country)(kept, "phone") == kept


@pytest.mark.parametrize(
    ("country", "written"),
    [
        ("CN", "12345"),
        ("CN", "138001380001"),
        ("CN", "call me"),
        (None, "13800138000"),
        ("US", "911 911 9111 1"),
    ],
)
def test_a_number_that_nobody_can_have_is_refused_unquoted(country: str | None, written: str) -> None:
    with pytest.raises(DomainError) as refused:
        phone_in(country)(written, "phone")
    assert written not in str(refused.value)


def test_what_the_short_way_takes_the_library_takes_as_it_is() -> None:
    chance = random.Random(3)
    taken = 0
    for _ in range(3000):
        local = "".join(chance.choice("abZ09_.+-") for _ in range(chance.randint(1, 12)))
        name = "".join(chance.choice("ab09.-") for _ in range(chance.randint(1, 12)))
        written = f"{local}@{name}.{chance.choice(['com', 'example', 'de', 'local', 'invalid'])}"
        if _PLAIN_EMAIL.fullmatch(written):
            taken += 1
            found = validate_email(written, check_deliverability=False, test_environment=True)
            assert found.normalized == written
    assert taken > 100


@pytest.mark.parametrize("written", ["Ann@EXAMPLE.com", "王@例子.cn", '"a b"@example.com'])
def test_other_addresses_are_the_library_s_to_judge(written: str) -> None:
    try:
        wanted = validate_email(written, check_deliverability=False, test_environment=True).normalized
    except ValueError:
        with pytest.raises(DomainError):
            email(written, "email")
    else:
        assert email(written, "email") == wanted


@pytest.mark.parametrize(
    "written", ["a@b", "a@@b.com", "a b@c.com", "a@-b.com", "a@b..com", "a@b.invalid", "@b.com"]
)
def test_what_is_no_address_is_refused_unquoted(written: str) -> None:
    with pytest.raises(DomainError) as refused:
        email(written, "email")
    assert written not in str(refused.value)


@pytest.mark.parametrize("cell", ["=1+1", "+86", "-x", "@SUM(A1)", "\t=1", ' "=1', "'", "'=1", "＝1", "\r=1"])
def test_what_looks_like_a_formula_is_guarded_and_comes_back_as_it_was(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=1", "O-1", "2025-01-01", "1.5", "王芳"])
def test_other_cells_are_left_alone(cell: str) -> None:
    assert guarded(cell) == cell
