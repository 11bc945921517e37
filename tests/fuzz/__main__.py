"""Looks at one input again, lists the targets, or runs them for a time.

python -m tests.fuzz                          the targets and their bounds
python -m tests.fuzz NAME FILE                one input, from a file or (-) standard input
python -m tests.fuzz --soak SECONDS [NAME...] all targets, or these, for so long in all
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.soak import soak, table


def main() -> int:
    """0 when the input is taken as it should be, 1 when not."""
    reader = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    reader.add_argument("--soak", type=float, metavar="SECONDS")
    reader.add_argument("names", nargs="*", metavar="NAME [FILE]")
    given = reader.parse_args()
    if given.soak is not None:
        return _soak(given.soak, given.names)
    if not given.names:
        return _list()
    return _repeat(given.names[0], given.names[1] if len(given.names) > 1 else "-")


def _soak(seconds: float, names: list[str]) -> int:
    from tests.fuzz.targets import TARGETS

    folder = Path(tempfile.mkdtemp(prefix="noroshi-fuzz-"))
    outcomes = soak(names or [one.name for one in TARGETS], seconds, folder)
    print(table(outcomes))
    for one in outcomes:
        if one.repeat:
            print(f"\n{one.name}\n{one.said}")
    return int(any(one.repeat for one in outcomes))


def _list() -> int:
    from tests.fuzz.targets import TARGETS

    for one in TARGETS:
        bounds = f"{one.max_bytes >> 10} KiB: {one.peak_mib:g} MiB, {one.seconds:g} s"
        print(f"{one.name:<24} {bounds:<32} {one.says}")
    return 0


def _repeat(name: str, file: str) -> int:
    from tests.fuzz.table import DefectError, held, peak_bytes
    from tests.fuzz.targets import target

    one = target(name)
    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    look = one.make()
    try:
        held(one, look, data)
    except DefectError as error:
        if error.__cause__ is not None:
            raise
        print(error)
        return 1
    print(
        f"{name} takes these {len(data)} bytes as it should: {peak_bytes(look, data) / (1 << 20):.1f} MiB at most"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
