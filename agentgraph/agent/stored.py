"""What a run was started with, as far as it is kept with the run and holds again when it is resumed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from agentgraph.exceptions import DecodeError, RunNotResumable, UserError
from agentgraph.graph import Problem, RunRecord
from agentgraph.model import Model
from agentgraph.settings import ModelSettings, merge_model_settings
from agentgraph.usage import UsageLimits

from .config import EndStrategy
from .options import RunOptions

__all__ = ["StoredOptions", "check_storable", "missing", "resumed", "settled_deadline"]

T = TypeVar("T")

NEVER_STORED = ("extra_headers", "extra_body")
"""Settings that may hold secrets."""

SUBMITTED = ("run_id", "conversation", "message_history", "model", "model_settings", "usage_limits", "deadline")
"""The options of a run that others execute: those that are stored with it."""


@dataclass(slots=True, kw_only=True)
class StoredOptions:
    """What is kept; never changed. What cannot be kept leaves a mark, so that a resume can ask for it."""

    model: str | None = None
    """The model by name; None: the agent's own."""
    model_object: str | None = None
    """The class of a `Model` that the run was given."""
    settings: ModelSettings | None = None
    limits: UsageLimits | None = None
    end_strategy: EndStrategy = "early"
    deps: bool = False
    """Whether the run was given any."""
    result_type: str | None = None
    """The run's own result type, in words."""
    deadline: datetime | None = None
    asked: str | None = None
    """Of a child: the digest of its prompt, so that another one is not taken for it."""

    @classmethod
    def of(
        cls, options: RunOptions[Any], result_type: object, end_strategy: EndStrategy, asked: str | None = None
    ) -> StoredOptions:
        """What is kept of the options of a new run."""
        model, settings = options.get("model"), options.get("model_settings")
        return cls(
            model=model if isinstance(model, str) else None,
            model_object=type(model).__name__ if isinstance(model, Model) else None,
            settings=_storable(settings) if settings else None,
            limits=options.get("usage_limits"),
            end_strategy=end_strategy,
            deadline=settled_deadline(options),
            deps=options.get("deps") is not None,
            result_type=None if result_type is None else str(result_type),
            asked=asked,
        )

    def renewed(self, options: RunOptions[Any], result_type: object) -> StoredOptions:
        """What is kept when the run goes on; of `options`, as `resumed` made them, the model and deps given now."""
        now = StoredOptions.of(options, result_type, self.end_strategy, self.asked)
        own_model = options.get("model") is None
        return replace(
            now,
            model=self.model if own_model else now.model,
            model_object=self.model_object if own_model else now.model_object,
            deps=self.deps or now.deps,
            result_type=now.result_type or self.result_type,
        )

    def dump(self) -> bytes:
        """As JSON, without what was left out."""
        return _adapter().serializer.to_json(self, exclude_defaults=True)

    @classmethod
    def load(cls, record: RunRecord) -> StoredOptions:
        """Those of a run.

        Raises:
            DecodeError: they do not fit this release.
            StoreError: they are encrypted.
        """
        record.check_readable()
        try:
            return _adapter().validate_json(record.options)
        except ValidationError as error:
            first = error.errors()[0]
            reason = f"{'.'.join(map(str, first['loc'])) or 'value'}: {first['msg']}"
            raise DecodeError(record.run_id, record.seq, "the options", reason) from error


def _storable(settings: ModelSettings) -> ModelSettings | None:
    kept: Any = {key: value for key, value in settings.items() if key not in NEVER_STORED}  # of services' own keys too
    return kept or None


def check_storable(options: RunOptions[Any]) -> None:
    """Refuse what a run that others execute would lack.

    Raises:
        UserError: names it.
    """
    lacking = [name for name in options if name not in SUBMITTED]
    if lacking:
        raise UserError(
            f"a submitted run cannot be given {', '.join(lacking)}: it is executed by others, with what is stored of "
            f"it, which is {', '.join(SUBMITTED)}"
        )
    if isinstance(options.get("model"), Model):
        raise UserError("a submitted run is executed by others, who know its `model` by name: give the name")


def settled_deadline(options: RunOptions[Any]) -> datetime | None:
    """The deadline in options whose deadline is a point of time, as `Ask.timed` makes it."""
    deadline = options.get("deadline")
    return deadline if isinstance(deadline, datetime) else None


def missing(
    stored: StoredOptions, options: RunOptions[Any], result_type: object, *, ended: bool = False
) -> list[Problem]:
    """What is not stored and has to be given again; a run that has `ended` needs no model and no deps any more."""
    lacking = {
        "deps": stored.deps and not ended and options.get("deps") is None,
        "model": stored.model_object and not ended and options.get("model") is None,
        "result_type": stored.result_type and result_type is None,
    }
    what = {
        "deps": "it was started with deps, which are not stored: give `deps=`",
        "model": f"it was started with a {stored.model_object} object: give `model=`",
        "result_type": f"it was started with result type {stored.result_type}: give `result_type=`",
    }
    return [Problem(what[option], option) for option, lacks in lacking.items() if lacks]


def resumed(
    run_id: str, stored: StoredOptions, options: RunOptions[Any], result_type: object, *, ended: bool = False
) -> RunOptions[Any]:
    """The options of a resumed run: what is given now, else what it was started with.

    Raises:
        RunNotResumable: something that is not stored has to be given again; lists all of it.
    """
    problems = missing(stored, options, result_type, ended=ended)
    if problems:
        raise RunNotResumable(run_id, [problem.what for problem in problems])
    held = options.copy()
    held["model"] = options.get("model") or stored.model
    held["model_settings"] = merge_model_settings(stored.settings, options.get("model_settings"))
    held["deadline"] = options.get("deadline") or stored.deadline
    held["usage_limits"] = _first(options.get("usage_limits"), stored.limits)
    return held


def _first(given: T | None, otherwise: T | None) -> T | None:
    return otherwise if given is None else given


@cache
def _adapter() -> TypeAdapter[StoredOptions]:
    return TypeAdapter(StoredOptions)  # built at the first run, not at import
