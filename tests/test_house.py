"""What may stand in the repository: no address of a package registry, no path of one machine, no keys, no others' files.

Read from what git tracks (and would track: new files that are not ignored), so that it speaks before the commit.
The patterns are written so that they do not match themselves.
"""

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import LONGEST

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")
MAX_MODULE_LINES = 600
LONG_MODULE_REASON = re.compile(r"\blonger than\b", re.IGNORECASE)
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}

REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|npmjs\.com/package|(?:deb|security|ftp)\.debian\.org"
    r"|archive\.ubuntu\.com|crates\.io/api|proxy\.golang\.org|repo1?\.maven\.org|--(?:extra-)?index-url[ =]\S"
    r"|^\s*registry\s*=",
    re.MULTILINE,
)
MACHINE_PATH = re.compile(
    r"(?<![\w.~$}/-])/(?:work|root|home/[a-z]\w*|Users/\w+|opt/(?:pypi|wheels)\w*)(?:/|\b)"
)
PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
TICKET = re.compile(
    r"\b(?:this|first|second|next|the) issue\b(?! (?:of|in|at|here)\b)|\bissue #?\d{1,2}\b", re.IGNORECASE
)
# Names of tools and roles that say how a file was written instead of what it is. Kept as digests, so that this
# list is not itself the place where they stand. Add one with: sha256 of the word in lower case, first 16 digits.
OUTSIDE_WORDS = {
    "31d123108dba5fd3",
    "487b91042c7cf27a",
    "60965168ce762e94",
    "7d3194f79e645c42",
    "83366499299704fb",
    "94a168d2da574b00",
    "c70eca6b0f88f44d",
    "c857d09db23e6822",
}
# A suppressed check names its code and gives its reason on the same line, in a comment after it.
SUPPRESSED = re.compile(r"#\s*(?:noqa\b|type:\s*ignore\b)[^#\n]*(?P<reason>#.*)?$", re.MULTILINE)


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Files that git tracks, and new ones that it does not ignore."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("needs a git checkout")
    command = [
        "git",
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    return [path for name in listed if name and (path := ROOT / name).is_file() and not path.is_symlink()]


@pytest.fixture(scope="module")
def texts(tracked: list[Path]) -> dict[str, str]:
    """Tracked files that are text, by their path in the repository."""
    found = {}
    for path in tracked:
        raw = path.read_bytes()
        if b"\0" not in raw[:8192]:
            found[path.relative_to(ROOT).as_posix()] = raw.decode("utf-8", errors="replace")
    return found


def matches(texts: dict[str, str], pattern: re.Pattern[str]) -> list[str]:
    """Where the pattern stands: `path:line: match`."""
    return [
        f"{name}:{text.count(chr(10), 0, hit.start()) + 1}: {hit.group().strip()}"
        for name, text in texts.items()
        for hit in pattern.finditer(text)
    ]


def configured_hosts() -> set[str]:
    """Hosts from which this machine's package clients fetch; what they are called is nobody else's business."""
    home = Path.home()
    files = [home / ".npmrc", home / ".pip/pip.conf", home / ".config/pip/pip.conf", Path("/etc/pip.conf")]
    files += [
        home / ".config/uv/uv.toml",
        *Path("/etc/apt").glob("sources.list*"),
        *Path("/etc/apt").glob("*/*.sources"),
    ]
    said = [value for name, value in os.environ.items() if re.match(r"(?i)(pip|uv|npm)_", name)]
    said += [path.read_text(encoding="utf-8", errors="replace") for path in files if path.is_file()]
    hosts = {urlsplit(url).hostname or "" for text in said for url in re.findall(r"https?://[^\s\"']+", text)}
    return {host for host in hosts if "." in host and not host.startswith("127.")}


def digest(word: str) -> str:
    """How a word stands in `OUTSIDE_WORDS`."""
    return hashlib.sha256(word.lower().encode()).hexdigest()[:16]


def test_no_file_names_a_package_registry(texts: dict[str, str]) -> None:
    assert matches(texts, REGISTRY) == []


def test_no_file_names_a_host_of_this_machines_package_clients(texts: dict[str, str]) -> None:
    hosts = configured_hosts()
    assert [name for name, text in texts.items() if any(host in text for host in hosts)] == []


def test_no_file_holds_a_path_of_one_machine(texts: dict[str, str]) -> None:
    assert matches(texts, MACHINE_PATH) == []


def test_no_file_holds_a_private_key(texts: dict[str, str]) -> None:
    assert matches(texts, PRIVATE_KEY) == []


def test_files_speak_of_the_project_only(texts: dict[str, str]) -> None:
    assert matches(texts, TICKET) == []
    found = {
        (name, word)
        for name, text in texts.items()
        for word in set(re.findall(r"[A-Za-z]{2,}", text))
        if digest(word) in OUTSIDE_WORDS
    }
    assert found == set()


@pytest.mark.parametrize(
    ("pattern", "offence"),
    [
        (REGISTRY, "see https://" + "py" + "pi.org/project/x"),
        (REGISTRY, "  registry" + "=https://example.org"),
        (REGISTRY, "--index" + "-url https://example.org/simple"),
        (MACHINE_PATH, 'DATA = "/' + 'work/data"'),
        (MACHINE_PATH, "cd /ro" + "ot/x"),
        (MACHINE_PATH, "in /ho" + "me/ann/noroshi"),
        (PRIVATE_KEY, "-----BEGIN EC PRIV" + "ATE KEY-----"),
        (PRIVATE_KEY, "-----BEGIN PRIV" + "ATE KEY-----"),
        (TICKET, "as is" + "sue 12 asks"),
        (SUPPRESSED, "x = 1  # no" + "qa: E501"),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern: re.Pattern[str], offence: str) -> None:
    assert pattern.search(offence)


@pytest.mark.parametrize(
    ("pattern", "lawful"),
    [
        (REGISTRY, "from PyPI and the npm registry"),
        (MACHINE_PATH, "https://example.org/work/x, teamwork/root/, ../work/, $HOME/x"),
        (PRIVATE_KEY, "-----BEGIN CERTIFICATE-----"),
        (TICKET, "is at issue here; reissue 4"),
    ],
)
def test_the_patterns_leave_the_rest(pattern: re.Pattern[str], lawful: str) -> None:
    assert pattern.search(lawful) is None


def test_locks_hold_hashes_and_no_address(texts: dict[str, str]) -> None:
    for name in LOCKS:
        lines = [line for line in texts[name].splitlines() if line and not line.lstrip().startswith("#")]
        assert "://" not in "".join(lines), name
        packages = re.findall(r"^[a-z0-9][a-z0-9._-]*==\S+", "\n".join(lines), re.MULTILINE)
        assert len(packages) == sum(not line.startswith(" ") for line in lines) > 20, name
        assert sum("--hash=sha256:" in line for line in lines) >= len(packages), name


def test_locks_agree_and_hold_what_the_project_asks_for(texts: dict[str, str]) -> None:
    pinned = [set(re.findall(r"^([a-z0-9._-]+==[^\s;]+)", texts[name], re.MULTILINE)) for name in LOCKS]
    assert pinned[0] <= pinned[1] <= pinned[2]
    asked = re.search(r"^dependencies = \[(.*?)^\]", texts["pyproject.toml"], re.MULTILINE | re.DOTALL)
    assert asked
    names = re.findall(r'"([A-Za-z0-9-]+)', asked.group(1))
    assert {name.lower() for name in names} <= {row.partition("==")[0] for row in pinned[0]}


def test_every_dependency_is_explained(texts: dict[str, str]) -> None:
    """`docs/dependencies.md` has a row for each package that `pyproject.toml` names, and for each of the page's."""
    said = texts["docs/dependencies.md"].lower()
    groups = re.findall(
        r"^\w+ = \[\n(.*?)^\]", texts["pyproject.toml"].split("[tool.", 1)[0], re.MULTILINE | re.DOTALL
    )
    asked = {
        name.lower()
        for group in groups
        for name in re.findall(r'^    "([A-Za-z0-9-]+)>=', group, re.MULTILINE)
    }
    if "web/package.json" in texts:
        page = json.loads(texts["web/package.json"])
        asked |= {name for part in ("dependencies", "devDependencies") for name in page.get(part, {})}
        asked = {name for name in asked if not name.startswith("@types/")}
    assert len(asked) > 20
    assert sorted(name for name in asked if f"`{name}`" not in said) == []


def test_the_pages_lock_records_no_download_address(texts: dict[str, str]) -> None:
    assert "uv.lock" not in texts
    for name in texts:
        if Path(name).name == "package-lock.json":
            rows = json.loads(texts[name])["packages"].values()
            assert [row["resolved"] for row in rows if "://" in str(row.get("resolved", ""))] == [], name


def test_no_sample_of_others_is_copied_in(tracked: list[Path], shared: Path) -> None:
    """Samples whose origin a `SOURCES.md` names stay where they are; tests read them from there."""
    samples = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path
        for sources in shared.rglob("SOURCES.md")
        for path in sources.parent.rglob("*")
        if path.is_file() and "LICENSES" not in path.parts and path.name != "SOURCES.md"
    }
    assert samples
    assert [path for path in tracked if hashlib.sha256(path.read_bytes()).hexdigest() in samples] == []


def test_a_suppressed_check_says_why(texts: dict[str, str]) -> None:
    silent = [
        f"{name}:{text.count(chr(10), 0, hit.start()) + 1}: {hit.group()}"
        for name, text in texts.items()
        if name.endswith(".py")
        for hit in SUPPRESSED.finditer(text)
        if not hit["reason"]
    ]
    assert silent == []


def test_modules_are_short_and_named_for_what_they_do(texts: dict[str, str]) -> None:
    modules = {name: text for name, text in texts.items() if name.startswith("src/") and name.endswith(".py")}
    assert modules
    assert [name for name in modules if VAGUE_NAMES & set(Path(name).with_suffix("").parts)] == []
    too_long = [
        f"{name}: {text.count(chr(10))} lines"
        for name, text in modules.items()
        if text.count("\n") > MAX_MODULE_LINES
        and not LONG_MODULE_REASON.search(ast.get_docstring(ast.parse(text)) or "")
    ]
    assert too_long == []


def test_the_files_that_are_begun_first_are_there() -> None:
    """A name that is no file any more would put nothing first, and nobody would notice."""
    assert [name for name in LONGEST if not (ROOT / name).is_file()] == []
    assert len(set(LONGEST)) == len(LONGEST)


def test_the_ci_script_is_clean() -> None:
    shellcheck = shutil.which(
        "shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if shellcheck is None:
        pytest.skip("needs shellcheck (in requirements-dev.lock)")
    checked = subprocess.run([shellcheck, str(ROOT / ".ci/run")], capture_output=True, text=True, check=False)
    assert checked.stdout == ""
    assert checked.returncode == 0


def test_the_table_of_dependencies_shows_the_locked_versions(texts: dict[str, str]) -> None:
    locked = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", texts["requirements-dev.lock"], re.MULTILINE))
    rows = re.findall(
        r"^\| ((?:`[\w.-]+`(?:, )?)+) \| ([^|]+) \|", texts["docs/dependencies.md"], re.MULTILINE
    )
    shown = {
        (name.lower(), said)
        for names, versions in rows
        for name, said in zip(re.findall(r"`([\w.-]+)`", names), versions.split(", "), strict=False)
        if re.match(r"\d", said)
    }
    assert len(shown) > 25
    assert sorted((name, said) for name, said in shown if locked.get(name) != said.strip()) == []
