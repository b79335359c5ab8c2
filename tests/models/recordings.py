"""Reads the recorded traffic, and compares a reply of ours with what the reference client got out of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from agentgraph.messages import (
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from agentgraph.usage import Usage
from tests.shared_data import shared

JSON = dict[str, Any]  # Any: JSON


def records(name: str) -> list[JSON]:
    lines = shared(f"recordings/{name}.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def body_of(record: JSON) -> str:
    response: JSON = record["response"]
    return response["text"] if "text" in response else json.dumps(response["json"])


def expected(record: JSON) -> JSON:
    """What a record says about its reply, as `summary` puts it."""
    wanted: JSON = record["expected"]
    usage: JSON = wanted["usage"]
    names = ("reasoning_tokens", "thinking_tokens", "thoughts_tokens")  # one for each of the reference's habits
    return {
        "text": "".join(part["content"] for part in wanted["parts"] if part["kind"] == "text"),
        "thinking": "".join(part["content"] for part in wanted["parts"] if part["kind"] == "thinking"),
        "signatures": [part["signature_sha256"] for part in wanted["parts"] if part.get("signature_sha256")],
        "calls": [
            (part["tool_name"], part["args"], part["tool_call_id"])
            for part in wanted["parts"]
            if part["kind"] == "tool-call"
        ],
        "native": [
            (part["kind"], part["tool_name"], part["tool_call_id"], part.get("args") or {})
            for part in wanted["parts"]
            if part["kind"].startswith("native-")
        ],
        "input": usage["input_tokens"],
        "output": usage["output_tokens"],
        "cache_read": usage["cache_read_tokens"],
        "cache_write": usage["cache_write_tokens"],
        "input_audio": usage.get("input_audio_tokens", 0),
        "reasoning": sum(usage.get("details", {}).get(name, 0) for name in names),
        "model_name": wanted["model_name"],
        "finish_reason": wanted["finish_reason"],
        "id": wanted["provider_response_id"],
    }


def summary(reply: ModelResponse, usage: Usage) -> JSON:
    details = usage.details or {}
    signatures = [part.signature for part in reply.parts if isinstance(part, ThinkingPart) and part.signature]
    return {
        "text": "".join(part.content for part in reply.parts if isinstance(part, TextPart)),
        "thinking": "".join(part.content for part in reply.parts if isinstance(part, ThinkingPart)),
        "signatures": [hashlib.sha256(signature.encode()).hexdigest() for signature in signatures],
        "calls": [
            (part.tool_name, part.args_as_dict(), part.tool_call_id)
            for part in reply.parts
            if isinstance(part, ToolCallPart)
        ],
        "native": [
            (
                part.part_kind,
                part.tool_name,
                part.tool_call_id,
                part.args if isinstance(part, NativeToolCallPart) else {},
            )
            for part in reply.parts
            if isinstance(part, NativeToolCallPart | NativeToolReturnPart)
        ],
        "input": usage.request_tokens,
        "output": usage.response_tokens,
        "cache_read": details.get("cache_read_tokens", 0),
        "cache_write": details.get("cache_write_tokens", 0),
        "input_audio": details.get("input_audio_tokens", 0),
        "reasoning": details.get("reasoning_tokens", 0),
        "model_name": reply.model_name,
        "finish_reason": reply.finish_reason,
        "id": reply.provider_response_id,
    }


def agree(name: str, wanted: Any, found: Any) -> bool:  # Any: a field of `expected` and `summary`
    """Whether a field is as expected; we may tell more of the tools that a service ran itself.

    The reference client leaves calls out of some streams, has its own form for a search for tools, and takes the ids of
    some for arguments.
    """
    if name != "native":
        return bool(wanted == found)
    ours = iter(found)
    return all(any(_same_native(one, other) for other in ours) for one in wanted)


def _same_native(wanted: Any, found: Any) -> bool:  # Any: as above
    *kind, call_id, args = wanted
    searched = kind[1] in {"tool_search", "image_generation"}
    return kind == [*found[:2]] and call_id in {None, found[2]} and (searched or args == found[3])
