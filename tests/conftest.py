"""What every test starts from: no chance in it, and a browser where one is needed."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

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
