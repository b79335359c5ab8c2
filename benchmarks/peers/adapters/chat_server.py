"""A chat service on this machine that costs its client nothing: `python chat_server.py CHUNKS` prints its address.

It speaks as much of OpenAI's chat protocol as clients need, plain and streamed, and answers everything alike.
"""

from __future__ import annotations

import asyncio
import json
import sys

CHUNK = "word "

COMMON = {"id": "chat-1", "created": 1_750_000_000, "model": "bench"}
USAGE = {"prompt_tokens": 50, "completion_tokens": 10, "total_tokens": 60}


def plain() -> bytes:
    """A whole answer."""
    message = {"role": "assistant", "content": "It is mild in Lisbon, nineteen degrees, with a light wind."}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    body = json.dumps({**COMMON, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def streamed(chunks: int) -> bytes:
    """An answer in so many pieces, each of them an event, in chunks of HTTP that hold one event each."""
    deltas = [{"role": "assistant", "content": ""}, *({"content": CHUNK} for _ in range(chunks))]
    events = [_event([{"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}]) for delta in deltas]
    events += [_event([{"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": None}]), _event([], USAGE)]
    framed = [f"{len(event):x}\r\n".encode() + event + b"\r\n" for event in [*events, b"data: [DONE]\n\n", b""]]
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + b"".join(
        framed
    )


def _event(choices: list[object], usage: dict[str, int] | None = None) -> bytes:
    said = {**COMMON, "object": "chat.completion.chunk", "choices": choices, "usage": usage}
    return f"data: {json.dumps(said)}\n\n".encode()


async def serve(chunks: int) -> None:
    """Answer until killed."""
    whole, pieces = plain(), streamed(chunks)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            lines = head.decode().lower().split("\r\n")
            lengths = [int(line.split(":")[1]) for line in lines if line.startswith("content-length:")]
            asked = json.loads(await reader.readexactly(sum(lengths)))
            writer.write(pieces if asked.get("stream") else whole)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


async def _head(reader: asyncio.StreamReader) -> bytes:
    """The head of the next request; empty if there is none."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
