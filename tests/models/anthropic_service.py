"""What Anthropic's service would send."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

JSON = dict[str, Any]  # Any: JSON

USAGE: JSON = {"input_tokens": 3, "output_tokens": 2}


def text(content: str) -> JSON:
    return {"type": "text", "text": content}


def thought(content: str, signature: str = "seal") -> JSON:
    return {"type": "thinking", "thinking": content, "signature": signature}


def call(name: str, args: JSON, call_id: str | None = "toolu_1") -> JSON:
    return {"type": "tool_use", "id": call_id, "name": name, "input": args}


def message(*blocks: JSON, **fields: object) -> JSON:
    """A whole message."""
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": list(blocks),
        "stop_reason": "end_turn",
        "usage": USAGE,
        **fields,
    }


def streamed(whole: JSON, size: int = 4) -> list[object]:
    """The events of the same message as a stream, its texts in pieces of this size."""
    begin: JSON = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    events: list[object] = [{"type": "message_start", "message": begin}]
    for index, block in enumerate(whole["content"]):
        begun, deltas = _pieces(block, size)
        events.append({"type": "content_block_start", "index": index, "content_block": begun})
        events += ({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        events += [{"type": "content_block_stop", "index": index}, {"type": "ping"}]
    end = {name: whole[name] for name in ("stop_reason", "stop_sequence", "stop_details", "container") if name in whole}
    return [*events, {"type": "message_delta", "delta": end, "usage": whole["usage"]}, {"type": "message_stop"}]


def _pieces(block: JSON, size: int) -> tuple[JSON, list[JSON]]:
    """How a block begins, and what comes after."""
    match block["type"]:
        case "text":
            return text(""), [{"type": "text_delta", "text": piece} for piece in _cut(block["text"], size)]
        case "thinking":
            pieces = [{"type": "thinking_delta", "thinking": piece} for piece in _cut(block["thinking"], size)]
            return thought("", ""), [*pieces, {"type": "signature_delta", "signature": block["signature"]}]
        case "tool_use" | "server_tool_use":
            written = _cut(json.dumps(block["input"]), size)
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in written]
        case _:
            return block, []


def _cut(content: str, size: int) -> Sequence[str]:
    def pieces() -> Iterator[str]:
        for begin in range(0, len(content), size):
            yield content[begin : begin + size]

    return list(pieces())
