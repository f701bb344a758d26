"""Hostile requests to an embedded Hub of its own: statuses of 500, escapes and looks into private repositories.

    python benchmarks/hub_fuzz.py --requests 10000 --seed 1

The requests are those of tests/contract/hostile.py. Prints how many were answered with which status, and every fault.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "contract"))
import hostile

from hubadapt.localhub.server import running


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "hub"
        with running(data) as endpoint:
            statuses, faults = _fire(hostile.besiege(endpoint, data), options.requests, options.seed)
        strangers = sorted(path.name for path in Path(folder).iterdir() if path.name not in ("hub", "canary"))
        links = [str(path) for path in data.rglob("*") if path.is_symlink()]
    print(f"seed {options.seed}: {sum(statuses.values())} requests, by status {dict(sorted(statuses.items()))}")
    print(f"{len(faults)} faults, {len(strangers)} files outside the data folder, {len(links)} links in it")
    for fault, shot in faults[:20]:
        print(fault, shot)
    return 1 if faults or strangers or links else 0


def _fire(target: hostile.Target, count: int, start: int) -> tuple[Counter[str], list[tuple[str, hostile.Shot]]]:
    statuses: Counter[str] = Counter()
    faults: list[tuple[str, hostile.Shot]] = []

    @seed(start)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(hostile.SHOTS)
    def shoot(shot: hostile.Shot) -> None:
        answer = target.fire(shot)
        statuses[answer[9:12].decode() or "none"] += 1
        faults.extend((fault, shot) for fault in target.faults(shot, answer))

    shoot()
    return statuses, faults


if __name__ == "__main__":
    sys.exit(main())
