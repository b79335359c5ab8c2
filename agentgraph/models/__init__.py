"""Language models: the port, the clients of each protocol, and models that need no network.

Each client loads with its own module (`agentgraph.models.openai`), this package without any of them.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentgraph.exceptions import UserError
from agentgraph.model import Model, ModelRequestParameters, ResultFormat, StreamedResponse, ToolDefinition

from .infer import infer_model
from .known_names import KnownModelName
from .registered import register_models

__all__ = [
    "ALLOW_MODEL_REQUESTS",
    "KnownModelName",
    "Model",
    "ModelRequestParameters",
    "ResultFormat",
    "StreamedResponse",
    "ToolDefinition",
    "cached_async_http_client",
    "check_allow_model_requests",
    "infer_model",
    "override_allow_model_requests",
    "register_models",
]

if TYPE_CHECKING:
    from agentgraph.providers.clients import cached_async_http_client
else:

    def __getattr__(name: str) -> object:
        if name != "cached_async_http_client":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from agentgraph.providers import clients

        return clients.cached_async_http_client


# These three stand here and not in a module of their own because the switch is this package's attribute: programs set
# `agentgraph.models.ALLOW_MODEL_REQUESTS = False`.

ALLOW_MODEL_REQUESTS: bool = True
"""Whether models may send requests over the network; set it to False in tests."""


def check_allow_model_requests() -> None:
    """What every client asks before a request.

    Raises:
        UserError: `ALLOW_MODEL_REQUESTS` is False.
    """
    if not ALLOW_MODEL_REQUESTS:
        raise UserError(
            "a model was about to send a request, but agentgraph.models.ALLOW_MODEL_REQUESTS is False: "
            "use TestModel or FunctionModel, or allow it with override_allow_model_requests(True)"
        )


@contextmanager
def override_allow_model_requests(allow_model_requests: bool) -> Generator[None]:  # noqa: FBT001 - the API is given
    """Allow or forbid requests within a block, in the whole process."""
    global ALLOW_MODEL_REQUESTS  # noqa: PLW0603 - the API is given
    before = ALLOW_MODEL_REQUESTS
    ALLOW_MODEL_REQUESTS = allow_model_requests  # pyright: ignore[reportConstantRedefinition] - the API is given
    try:
        yield
    finally:
        ALLOW_MODEL_REQUESTS = before  # pyright: ignore[reportConstantRedefinition]
