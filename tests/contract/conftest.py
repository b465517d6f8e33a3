from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The tests of this folder import what they share from promises.py, by name.
sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("promises")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tiny networks spend more time on starting threads than these save."""
    import torch

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LACUNA_THREADS", "1")
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)
