"""Write the three lock files again from `pyproject.toml`: versions and hashes, no address of any registry.

`requirements.lock` is what the installed product needs. `requirements-build.lock` adds what builds it and its
place table (what `make setup` installs). `requirements-dev.lock` adds all that tests, types and the manual
need. The first two take their versions from the third, so that no two of them disagree. One version of each
package serves every Python that it can (markers say where not), on Linux, macOS and Windows; tested is Linux
on x86-64.

Example: `make lock`, then read the difference and run `make test`.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = "3.11"
EVERYTHING = "requirements-dev.lock"
# Name of the file, and the optional dependencies that it holds beside the product's own.
LOCKS = (
    (EVERYTHING, ("dev",)),
    ("requirements-build.lock", ("build",)),
    ("requirements.lock", ()),
)
ADDRESS = re.compile(r"https?://|file://|--(?:extra-)?index-url|--find-links|--trusted-host")


def compile_command(name: str, extras: tuple[str, ...]) -> list[str]:
    """The `uv pip compile` call that gives one lock."""
    command = ["uv", "pip", "compile", "pyproject.toml", "--universal", "--fork-strategy", "fewest"]
    command += [
        "--python-version",
        OLDEST_PYTHON,
        "--generate-hashes",
        "--no-emit-index-url",
        "--no-emit-find-links",
    ]
    command += ["--strip-extras", "--no-emit-package", "noroshi", "--custom-compile-command", "make lock"]
    for extra in extras:
        command += ["--extra", extra]
    if name != EVERYTHING:
        command += ["--constraint", EVERYTHING]
    return [*command, "--upgrade", "--quiet", "--output-file", name]


def main() -> int:
    """Write all locks; 0 when done, 1 when one of them would name an address."""
    for name, extras in LOCKS:
        subprocess.run([sys.executable, "-m", *compile_command(name, extras)], cwd=ROOT, check=True)
        if found := ADDRESS.search((ROOT / name).read_text(encoding="utf-8")):
            print(f"{name} names an address ({found.group()}): do not commit it", file=sys.stderr)
            return 1
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
