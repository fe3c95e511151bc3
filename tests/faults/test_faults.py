"""A short run of the faults in each mode; and the same without the fence, which must not pass."""

import os
import secrets
from pathlib import Path

import pytest

from tests.faults.campaign import MODES, carry_out
from tests.faults.town import distributed

SECONDS = {"distributed": 45, "embedded": 20}
AT_LEAST = {"distributed": 5, "embedded": 3}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def seeded() -> int:
    """A fresh seed that a failure tells; set CARELINE_FAULTS_SEED to have the same again."""
    seed = int(os.environ.get("CARELINE_FAULTS_SEED") or secrets.randbelow(10**6))
    print(f"CARELINE_FAULTS_SEED={seed}")
    return seed


@pytest.mark.parametrize("mode", MODES)
def test_whatever_breaks_nothing_is_lost_and_nothing_is_done_twice(mode: str, tmp_path: Path) -> None:
    with MODES[mode](tmp_path) as town:
        outcome = carry_out(town, seeded(), SECONDS[mode])
    print(outcome.report())
    assert outcome.broken == []
    assert outcome.faults >= AT_LEAST[mode]


def test_without_the_fence_the_same_reckoning_finds_what_was_done_twice(tmp_path: Path) -> None:
    with distributed(tmp_path, tamper="unfenced") as town:
        outcome = carry_out(town, 1, 12, only=("freeze a worker",))
    print(outcome.report())
    assert outcome.counts.get("freeze a worker")
    assert outcome.doubled["effects doubled"]
    assert (outcome.lost, outcome.stuck) == ({}, {})
