from __future__ import annotations

import pytest

from agentgraph.settings import ModelSettings, merge_model_settings


def test_overrides_win_key_by_key_and_change_nothing() -> None:
    base = ModelSettings(temperature=0, max_tokens=5)
    overrides = ModelSettings(temperature=1)
    assert merge_model_settings(base, overrides) == {"temperature": 1, "max_tokens": 5}
    assert (base, overrides) == ({"temperature": 0, "max_tokens": 5}, {"temperature": 1})


@pytest.mark.parametrize("missing", [None, ModelSettings()])
def test_one_of_the_two_may_be_missing(missing: ModelSettings | None) -> None:
    settings = ModelSettings(seed=1)
    assert merge_model_settings(settings, missing) == settings
    assert merge_model_settings(missing, settings) == settings
    assert not merge_model_settings(missing, None)
