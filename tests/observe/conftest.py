from __future__ import annotations

import pytest

from tests.observe.traced import Traced


@pytest.fixture
def traced() -> Traced:
    return Traced()
