"""What is wrong with a page that cannot be had."""

from tests.api.conftest import ask_for_result
from tests.conftest import House


async def test_a_bad_page_size_or_cursor_is_told_plainly(house: House) -> None:
    for document, message in (
        ("{ tasks(first: 0) { totalCount } }", "first must be between 1 and 100, got 0"),
        ("{ runs(last: 101) { totalCount } }", "last must be between 1 and 100, got 101"),
        ("{ tasks(first: 1, last: 2) { totalCount } }", "last: give first or last, not both"),
        ('{ tasks(after: "x") { totalCount } }', "after: this is not a cursor of this list"),
    ):
        result = await ask_for_result(document, house.admin, {})
        code = "LIMITED" if "101" in message else "BAD_REQUEST"
        assert [(error.message, error.extensions["code"]) for error in result.errors] == [(message, code)]
