import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import Simulator, Supervisor  # noqa: E402


@pytest.fixture
def simulator():
    running = Simulator()
    yield running
    running.stop()


@pytest.fixture
def supervisor(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    running = Supervisor(data).start()
    yield running
    running.stop()
    running.end_orphans()


@pytest.fixture
def browser(supervisor, tmp_path):
    """Chromium on this supervisor's console; skips where there is none."""
    from browser import browser_of

    running = browser_of(supervisor, tmp_path / "chromium")
    yield running
    running.close()
