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
