"""One target for a time, in a process of its own, steered by what each input reaches.

With atheris, an input that reaches code that none before it reached is kept and changed further. Where there is no wheel
of atheris the same changes are made to the seeds alone, without steering; the line `coverage: none` says so. A finding
is left as a file in the folder, and the process ends with an error.

    python -m tests.fuzz.guided canonical 60 FOLDER
"""

from __future__ import annotations

import faulthandler
import gc
import math
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.table import Look, Target

GROWTH_MIB = 160
"""What the process may grow beside the memory of one input: tables of coverage and the inputs that are kept. A target
that keeps anything of what it looks at goes beyond it."""

SLOWER = 6.0
"""How much slower code is that counts what it reaches, on cores that others use too."""

LONGEST = 256 << 10
"""Longest input that is tried here: changes of longer ones take the time of thousands of short ones."""

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

UNCOUNTED = ("noroshi.tracking.kernels",)
"""Not counted: its functions are compiled from the very bytecode that counting would change."""


def rss_mib() -> int:
    """The memory of this process, MiB."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES >> 20


def _prepared(one: Target) -> tuple[Look, tuple[bytes, ...]]:
    look, seeds = one.make(), tuple(one.seeds())
    for seed in seeds:
        look(seed)
    gc.collect()
    gc.freeze()
    return look, seeds


def _mutator(one: Target, seeds: tuple[bytes, ...]) -> Callable[[bytes, int, int], bytes]:
    from tests.fuzz.mutate import mutated

    def change(data: bytes, most: int, seed: int) -> bytes:
        return mutated(bytes(data), random.Random(seed), one.form, seeds, most)[:most]

    return change


def _with_atheris(name: str, seconds: int, folder: Path) -> None:
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # it has no types, or is not there

    with atheris.instrument_imports(include=["noroshi"], exclude=list(UNCOUNTED)):
        from tests.fuzz.targets import target
    from tests.fuzz.mutate import TOKENS
    from tests.fuzz.table import held

    one = target(name)
    look, seeds = _prepared(one)
    change = _mutator(one, seeds)
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(token)}"\n' for token in TOKENS[one.form]), encoding="ascii")

    def custom(data: bytes, most: int, seed: int) -> bytes:
        if seed % 4 == 0:
            return bytes(atheris.Mutate(data, most))
        return change(data, most, seed)

    longest = max(4096, *(2 * len(seed) for seed in seeds))
    limit_mib = rss_mib() + math.ceil(one.peak_mib) + GROWTH_MIB
    options = {
        "max_total_time": seconds,
        "timeout": math.ceil(one.seconds * SLOWER),
        "rss_limit_mb": limit_mib,
        "max_len": min(one.max_bytes, LONGEST, longest),
        "artifact_prefix": f"{folder}/",
        "dict": words,
        "print_final_stats": 1,
        "seed": 1,
    }
    print(f"limit: {limit_mib} MiB", flush=True)
    arguments = [name, *(f"-{key}={value}" for key, value in options.items()), str(corpus)]
    atheris.Setup(
        arguments, lambda data: held(one, look, data, SLOWER), custom_mutator=custom, internal_libfuzzer=True
    )
    atheris.Fuzz()


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token[:64])


def _without(name: str, seconds: int, folder: Path) -> None:
    """The same changes, of seeds only; an input that hangs or ends the process is in the file `current`."""
    from tests.fuzz.table import DefectError, held
    from tests.fuzz.targets import target

    one = target(name)
    look, seeds = _prepared(one)
    change = _mutator(one, seeds)
    limit_mib = rss_mib() + math.ceil(one.peak_mib) + GROWTH_MIB
    current = folder / "current"
    end_s, count = time.monotonic() + seconds, 0
    while time.monotonic() < end_s:
        count += 1
        data = change(seeds[count % len(seeds)], LONGEST, count)
        current.write_bytes(data)
        faulthandler.dump_traceback_later(one.seconds * SLOWER, exit=True)
        try:
            held(one, look, data, SLOWER)
        except DefectError:
            current.rename(folder / f"crash-{count}")
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
        if rss_mib() > limit_mib:
            current.rename(folder / f"oom-{count}")
            raise MemoryError(f"{name}: {rss_mib()} MiB, and {limit_mib} are allowed")
    current.unlink(missing_ok=True)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"coverage: none\nstat::number_of_executed_units: {count}\nstat::peak_rss_mb: {peak_mib}", flush=True
    )


def main(name: str, seconds: str, folder: str) -> None:
    """Runs until the time is over or something is found."""
    try:
        import atheris  # noqa: F401  # only whether it is there
    except ImportError:
        _without(name, int(seconds), Path(folder))
    else:
        _with_atheris(name, int(seconds), Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
