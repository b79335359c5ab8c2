"""Bodies as they come over a wire: read as what the protocol promises, or refused with what is wrong and where.

Each protocol's reply is made of subclasses of `Wire`, which take what they know and ignore the rest.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior

__all__ = ["JSON", "Wire", "as_object", "as_objects", "as_text", "count", "error_inside", "read"]

JSON: TypeAlias = dict[str, Any]  # Any: JSON


class Wire(BaseModel):
    """A piece of a protocol; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


WireT = TypeVar("WireT", bound=Wire)


def read(form: type[WireT], body: str | bytes, model_name: str) -> WireT:
    """A body as the protocol has it.

    Raises:
        UnexpectedModelBehavior: it is something else; the message says where.
    """
    try:
        # What `model_validate_json` does, without the options that it looks through for each event.
        found: WireT = form.__pydantic_validator__.validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
    else:
        return found
    place = ".".join(str(step) for step in problem["loc"])
    raise UnexpectedModelBehavior(
        f"the reply of {model_name!r} is malformed{place and f' at {place}'}: {problem['msg']}", as_text(body)
    )


def error_inside(code: object, model_name: str, body: str | bytes) -> ModelHTTPError | UnexpectedModelBehavior:
    """The error for one that came with a status of success; `code` may be the status that it should have had."""
    text = as_text(body)
    if isinstance(code, int) and 400 <= code < 600:  # noqa: PLR2004
        return ModelHTTPError(code, model_name, json.loads(text))
    return UnexpectedModelBehavior(f"{model_name!r} answered with an error instead of a reply", text)


def count(counts: JSON, key: str) -> int | None:
    """A number of tokens or the like; None if there is none."""
    value = counts.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def as_object(value: object) -> JSON:
    """The value if it is a JSON object, else an empty one."""
    return cast("JSON", value) if isinstance(value, dict) else {}  # cast: the objects of JSON have text as keys


def as_objects(value: object) -> list[JSON]:
    """The value's items as objects if it is a list, else none."""
    return [as_object(item) for item in cast("list[object]", value)] if isinstance(value, list) else []  # cast: of JSON


def as_text(body: str | bytes) -> str:
    """The body as it can be shown."""
    return body if isinstance(body, str) else body.decode(errors="replace")
