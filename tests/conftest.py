"""What every test starts from: no chance in it, and a browser where one is needed."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

LONGEST = (
    "tests/test_docs.py",
    "tests/cli/test_demo.py",
    "tests/exercise/test_run.py",
    "tests/leaks/test_pairs.py",
    "tests/simulation/test_histories.py",
    "tests/versions/test_upgrading.py",
    "tests/cli/test_bench.py",
    "tests/service/test_process.py",
    "tests/service/test_faults_kill.py",
    "tests/incidents/test_trials.py",
    "tests/service/test_real_nodes.py",
    "tests/versions/test_side_by_side.py",
    "tests/service/test_faults_disk.py",
    "tests/service/test_faults_link.py",
    "tests/node/test_snapshot.py",
    "tests/service/test_real_realm.py",
    "tests/exercise/test_judge.py",
    "tests/simulation/test_planted.py",
    "tests/web/test_signing.py",
    "tests/web/test_live_demo.py",
)
"""Files that take a quarter of a minute or more, the longest first: begun last, one would run on alone at the end."""

# The same examples on every run: a failure seen once is seen by everybody.
settings.register_profile(
    "noroshi", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50
)
settings.register_profile("soak", derandomize=True, deadline=None, max_examples=5_000)
settings.load_profile(os.environ.get("NOROSHI_HYPOTHESIS", "noroshi"))


def find_chromium() -> Path | None:
    """The installed Chromium (or what `NOROSHI_CHROMIUM` names), or None."""
    names = (os.environ["NOROSHI_CHROMIUM"],) if "NOROSHI_CHROMIUM" in os.environ else BROWSERS
    found = next(filter(None, map(shutil.which, names)), None)
    return Path(found) if found else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first; all others stay in their order, and so do the tests of each file."""
    rank = {ROOT / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a browser test where there is no browser; with `NOROSHI_REQUIRE_BROWSER=1` fail it."""
    if item.get_closest_marker("browser") and find_chromium() is None:
        if os.environ.get("NOROSHI_REQUIRE_BROWSER") == "1":
            pytest.fail("Chromium is required here and was not found", pytrace=False)
        pytest.skip("needs Chromium (apt-get install chromium), which is not installed")


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Path of Chromium; use it together with the `browser` mark."""
    found = find_chromium()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of shared reference data beside the checkout; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared, which is not here")
    return SHARED
