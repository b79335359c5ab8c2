"""What Bedrock would send, in the binary frames of AWS, and what it would check of a request's signature."""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from zlib import crc32

from tests.models.local_server import Received, Reply

JSON = dict[str, Any]  # Any: JSON

USAGE: JSON = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}


def converse(*blocks: JSON, **fields: object) -> JSON:
    """A whole reply."""
    message = {"role": "assistant", "content": list(blocks)}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": USAGE, **fields}


def call(name: str, args: JSON, call_id: str | None = "tooluse_1", **fields: object) -> JSON:
    return {"toolUse": {"toolUseId": call_id, "name": name, "input": args, **fields}}


def thought(text: str, signature: str = "seal") -> JSON:
    return {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}


def streamed(whole: JSON, size: int = 4) -> list[JSON]:
    """The events of the same reply as a stream, its texts in pieces of this size."""
    events: list[JSON] = [{"messageStart": {"role": "assistant"}}]
    for index, block in enumerate(whole["output"]["message"]["content"]):
        begun, deltas = _pieces(block, size)
        if begun:
            events.append({"contentBlockStart": {"contentBlockIndex": index, "start": begun}})
        events += ({"contentBlockDelta": {"contentBlockIndex": index, "delta": delta}} for delta in deltas)
        events.append({"contentBlockStop": {"contentBlockIndex": index}})
    end = {name: whole[name] for name in ("stopReason", "additionalModelResponseFields") if name in whole}
    told = {name: whole[name] for name in ("usage", "trace") if name in whole}
    return [*events, {"messageStop": end}, {"metadata": told}]


def _pieces(block: JSON, size: int) -> tuple[JSON, list[JSON]]:
    """How a block begins, and what comes after."""
    [(kind, value)] = block.items()
    match kind:
        case "text":
            return {}, [{"text": piece} for piece in _cut(value, size)]
        case "toolUse":
            begun = {name: item for name, item in value.items() if name != "input"}
            pieces = _cut(json.dumps(value["input"]), size)
            return {"toolUse": begun}, [{"toolUse": {"input": piece}} for piece in pieces]
        case "toolResult":
            begun = {name: item for name, item in value.items() if name != "content"}
            return {"toolResult": begun}, [{"toolResult": [item]} for item in value["content"]]
        case _:
            if "redactedContent" in value:
                return {}, [{kind: value}]
            said = value["reasoningText"]
            texts = [{kind: {"text": piece}} for piece in _cut(said["text"], size)]
            return {}, [*texts, {kind: {"signature": said["signature"]}}]


def _cut(content: str, size: int) -> list[str]:
    return [content[begin : begin + size] for begin in range(0, len(content), size)]


def frame(payload: bytes, **headers: str) -> bytes:
    """A message; underscores in names of headers stand for hyphens."""
    written = b""
    for name, value in headers.items():
        key, text = f":{name.replace('_', '-')}".encode(), value.encode()
        written += bytes([len(key)]) + key + b"\x07" + struct.pack(">H", len(text)) + text
    prelude = struct.pack(">II", 16 + len(written) + len(payload), len(written))
    checked = prelude + struct.pack(">I", crc32(prelude))
    return checked + written + payload + struct.pack(">I", crc32(checked + written + payload))


def event_frame(event: JSON) -> bytes:
    [(name, value)] = event.items()
    return frame(json.dumps(value).encode(), event_type=name, content_type="application/json", message_type="event")


def exception_frame(kind: str, message: str) -> bytes:
    return frame(json.dumps({"message": message}).encode(), exception_type=kind, message_type="exception")


def frames_reply(*frames: bytes, cut: bool = False, stall: bool = False) -> Reply:
    """A stream of these frames."""
    return Reply(frames, headers={"content-type": "application/vnd.amazon.eventstream"}, cut=cut, stall=stall)


def is_signed(received: Received, secret: str, region: str) -> bool:
    """Whether the request's signature is that of this key: Signature Version 4, written out as AWS documents it."""
    scheme, _, rest = received.headers["authorization"].partition(" ")
    fields = dict(field.strip().split("=", 1) for field in rest.split(","))
    _, day, *scope = fields["Credential"].split("/")
    names = fields["SignedHeaders"].split(";")
    # The path is encoded once more than it is sent.
    canonical = "\n".join(
        [
            "POST",
            quote(received.path, safe="/~"),
            "",
            *(f"{name}:{received.headers[name].strip()}" for name in names),
            "",
            fields["SignedHeaders"],
            hashlib.sha256(received.body).hexdigest(),
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signed = "\n".join([scheme, received.headers["x-amz-date"], "/".join([day, *scope]), digest])
    key = f"AWS4{secret}".encode()
    for step in (day, region, "bedrock", "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    wanted = hmac.new(key, signed.encode(), hashlib.sha256).hexdigest()
    return scope == [region, "bedrock", "aws4_request"] and fields["Signature"] == wanted


def whole_frames(whole: Mapping[str, Any], size: int = 4) -> list[bytes]:  # Any: JSON
    """The frames of a reply as a stream, its texts in pieces of this size."""
    return [event_frame(event) for event in streamed(dict(whole), size)]
