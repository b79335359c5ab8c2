"""Usage as OpenAI's protocols report it, and the services that speak them."""

from __future__ import annotations

from collections.abc import Mapping

from agentgraph.usage import Usage

from .wire import JSON, as_object, count

__all__ = ["usage_of"]

PARTS_OF_PROMPT = {"cached_tokens": "cache_read_tokens", "audio_tokens": "input_audio_tokens"}
PARTS_OF_REPLY = {"audio_tokens": "output_audio_tokens"}


def usage_of(counts: JSON, prompt: str, reply: str) -> Usage:
    """The usage of a reply.

    Args:
        counts: what the service reports.
        prompt: the name of the tokens of the prompt.
        reply: the name of the tokens of the reply.
    """
    if not counts:
        return Usage()
    asked, answered, total = (count(counts, name) for name in (prompt, reply, "total_tokens"))
    both = None if asked is None and answered is None else (asked or 0) + (answered or 0)
    sources: list[tuple[JSON, Mapping[str, str]]] = [
        (counts, PARTS_OF_PROMPT),
        (as_object(counts.get(f"{prompt}_details")), PARTS_OF_PROMPT),
        (as_object(counts.get(f"{reply}_details")), PARTS_OF_REPLY),
    ]
    # All counts beside the three main ones, but for zeros.
    details = {
        names.get(key, key): tokens
        for source, names in sources
        for key in source
        if key not in {prompt, reply, "total_tokens"} and (tokens := count(source, key))
    }
    return Usage(0, asked, answered, both if total is None else total, details or None)
