"""S21: what is sealed is opened at its place and under its key, and nowhere else."""

from collections.abc import Iterator

import pytest

from domain import sealing
from domain.sealing import Locked


@pytest.fixture(autouse=True)
def unlocked() -> Iterator[None]:
    sealing.unlock("k" * 32)
    yield
    sealing.unlock("")


def test_what_was_sealed_is_opened_at_its_place_alone() -> None:
    sealed = sealing.seal("whsec_x", "1|webhooks|2|secret")
    assert sealing.opened(sealed, "1|webhooks|2|secret") == "whsec_x"
    assert "whsec" not in sealed and sealing.seal("whsec_x", "1|webhooks|2|secret") != sealed
    for place in ("1|webhooks|3|secret", "2|webhooks|2|secret", "1|webhooks|2|previous", ""):
        with pytest.raises(Locked):
            sealing.opened(sealed, place)


def test_what_was_changed_is_not_opened() -> None:
    sealed = sealing.seal("x", "here")
    version, _, body = sealed.partition(".")
    flipped = body[:20] + ("A" if body[20] != "A" else "B") + body[21:]
    for wrong in (f"{version}.{flipped}", f"v2.{body}", body, "", f"{version}.", f"{version}.!", sealed[:-4]):
        with pytest.raises(Locked):
            sealing.opened(wrong, "here")


def test_another_key_opens_nothing_and_without_one_nothing_is_sealed() -> None:
    sealed = sealing.seal("x", "here")
    sealing.unlock("j" * 32)
    with pytest.raises(Locked):
        sealing.opened(sealed, "here")
    sealing.unlock("k" * 32)
    assert sealing.opened(sealed, "here") == "x"
    sealing.unlock("")
    assert not sealing.is_unlocked()
    for refused in (lambda: sealing.seal("x", "here"), lambda: sealing.opened(sealed, "here")):
        with pytest.raises(Locked):
            refused()
