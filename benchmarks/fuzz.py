"""Damage what every reader of foreign bytes reads, for as long as is wanted: `python benchmarks/fuzz.py --minutes 60`.

Whatever a reader answers other than by reading or by one sentence is kept in `--corpus`, named by reader, and read again at
the start of the next run. A process that dies leaves its input there, too, and on standard error where it died. With
`--atheris READER` (pip install atheris) one reader is fuzzed by coverage instead.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import logging
import random
import resource
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from spillover.errors import SpilloverError
from tests.fuzz.damage import damage
from tests.fuzz.targets import Target, targets

SECONDS, WAITING = 10.0, 60.0
"""Of this process, and of the clock, within which every input must be read: longer is a hang."""


def fault(target: Target, data: bytes) -> str | None:
    """Where a reader broke, or None."""
    started, clock = time.process_time(), time.perf_counter()
    try:
        target(data)
    except SpilloverError:
        pass
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        ours = [f for f in traceback.extract_tb(error.__traceback__) if "/spillover/" in f.filename]
        last = ours[-1] if ours else place
        return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {str(error)[:120]}"
    took, waited = time.process_time() - started, time.perf_counter() - clock
    return f"hang: {took:.0f} s, {waited:.0f} s of the clock" if took > SECONDS or waited > WAITING else None


def main() -> None:
    """Go round the readers until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="of the processor")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="reader; may be repeated")
    parser.add_argument("--corpus", type=Path, default=Path("runs/fuzz"))
    parser.add_argument("--gigabytes", type=float, default=4.0, help="of address space beyond what is used at the start")
    parser.add_argument("--atheris", metavar="READER")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    chosen = {name: t for name, t in targets().items() if not args.only or name in args.only}
    for t in chosen.values():  # loads what it needs
        t(t.seed())
    if args.atheris:
        by_coverage(chosen[args.atheris])
        return
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + int(args.gigabytes * 2**30),) * 2)
    args.corpus.mkdir(parents=True, exist_ok=True)
    drawn, counts, found = random.Random(args.seed), Counter[str](), Counter[str]()
    faulthandler.enable()
    for path in args.corpus.glob("*.now"):  # a process died of it: from now on it is tried first
        path.rename(path.with_suffix(".bin"))
    for path in sorted(args.corpus.glob("*.bin")):
        name = path.name.rpartition("-")[0].replace("_", " ")
        if name in chosen and (again := fault(chosen[name], path.read_bytes())):
            found[f"{name}: {again}"] += 1
    end = time.process_time() + 60 * args.minutes
    while time.process_time() < end:
        for name, target in chosen.items():
            for _ in range(5):
                data = damage(target.seed(), drawn.randbytes(drawn.randrange(1, 40)))
                counts[name] += 1
                digest = hashlib.sha256(data).hexdigest()[:12]
                now = args.corpus / f"{name.replace(' ', '_')}-{digest}.now"
                now.write_bytes(data)  # what a process that dies of it leaves behind
                broke = fault(target, data)
                now.unlink()
                if broke:
                    key = f"{name}: {broke}"
                    found[key] += 1
                    if found[key] == 1:
                        (args.corpus / f"{name.replace(' ', '_')}-{digest}.bin").write_bytes(data)
    for name, count in counts.items():
        print(f"{name}: {count} inputs")
    for key, count in found.most_common():
        print(f"BROKEN {key} ({count} times)")
    sys.exit(bool(found))


def by_coverage(target: Target) -> None:
    """Atheris's own loop; its arguments come after `--`."""
    import atheris  # type: ignore[import-not-found,unused-ignore]

    seed = target.seed()

    def one(drawn: bytes) -> None:
        broke = fault(target, damage(seed, drawn))
        if broke:
            raise RuntimeError(broke)

    atheris.instrument_all()
    atheris.Setup(sys.argv[:1], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
