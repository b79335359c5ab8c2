"""From the name of a model to the model."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from agentgraph.exceptions import UserError
from agentgraph.model import Model

from .known_names import KnownModelName
from .names import nearest_names, protocol_of, split_name
from .registered import made_by, prefixes

__all__ = ["infer_model"]

OTHER_PROTOCOL = "-responses"
"""The end of a prefix that names a protocol beside the usual one of its provider."""


def infer_model(model: Model | KnownModelName | str) -> Model:
    """The model of a name such as `openai:gpt-4o`; a model is handed back as it is.

    Raises:
        UserError: the name is none, or the environment lacks the service's key.
    """
    if isinstance(model, Model):
        return model
    if model == "test":
        test_model: Callable[[], Model] = _load("test:TestModel")
        return test_model()
    begin, _, own = model.partition(":")
    make = made_by(begin)
    if make is not None and own:
        return make(own)
    found = split_name(model)
    if found is None:
        near = nearest_names(model)
        hint = f"did you mean {' or '.join(repr(name) for name in near)}?" if near else "names are 'provider:name'"
        raise UserError(f"there is no model {model!r}: {hint} (providers: {', '.join(prefixes())})")
    prefix, name = found
    try:
        named: Callable[..., Model] = _load(protocol_of(prefix, name))
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(f"{__package__}."):
            raise
        raise UserError(f"there is no client for {prefix!r} in this version of agentgraph") from None
    return named(name, provider=prefix.removesuffix(OTHER_PROTOCOL))


def _load(entry: str) -> Callable[..., Model]:
    # By name, so that only the protocol that is used is imported, and none of them is imported by the package.
    module, _, class_name = entry.partition(":")
    loaded: Callable[..., Model] = getattr(import_module(f"{__package__}.{module}"), class_name)
    return loaded
