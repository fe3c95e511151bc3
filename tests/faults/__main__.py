"""`make faults`: SECONDS of faults by SEED, in each MODE; it ends with 1 when a promise was broken."""

import os
import secrets
import sys
import tempfile
from pathlib import Path

from tests.faults.campaign import MODES, carry_out

ENOUGH_PER_SECOND = 25 / 240


def main() -> int:
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6))
    seconds = float(os.environ.get("SECONDS") or 240)
    mode = os.environ.get("MODE") or "both"
    bad = 0
    for name in MODES if mode == "both" else (mode,):
        print(f"--- {name}: SEED={seed} SECONDS={seconds:g}", flush=True)
        folder = Path(tempfile.mkdtemp(prefix=f"careline-faults-{name}-"))
        with MODES[name](folder) as town:
            outcome = carry_out(town, seed, seconds)
        print(outcome.report(), flush=True)
        if outcome.broken:
            print(f"logs are in {folder}")
        wanted = int(ENOUGH_PER_SECOND * seconds) if name == "distributed" else 1
        if outcome.faults < wanted:
            print(f"too few faults took effect: {outcome.faults} of at least {wanted}")
        bad += bool(outcome.broken) or outcome.faults < wanted
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
