"""What Anthropic's protocol counts, as usage."""

from __future__ import annotations

from agentgraph.usage import Usage

from .wire import JSON, as_object, as_objects, count

__all__ = ["usage_of"]

PARTS_OF_PROMPT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
"""Each token of the prompt is counted in one of them."""
COMPACTION, ADVISOR = "compaction", "advisor_message"


def usage_of(counts: JSON) -> Usage:
    """The usage that a reply tells, empty if it tells none.

    The main counts cover the turns of the model itself. To shorten the conversation is a turn of its own that belongs
    to the price of the reply, and is added; other models that the service asked have prices of their own, and are told
    apart in the details.
    """
    if not counts:
        return Usage()
    turns = as_objects(counts.get("iterations"))
    own = [counts, *(turn for turn in turns if turn.get("type") == COMPACTION)]
    prompt = sum(count(turn, name) or 0 for turn in own for name in PARTS_OF_PROMPT)
    reply = sum(count(turn, "output_tokens") or 0 for turn in own)
    return Usage(0, prompt, reply, prompt + reply, _details(counts, own, turns) or None)


def _details(counts: JSON, own: list[JSON], turns: list[JSON]) -> dict[str, int]:
    advisor = [turn for turn in turns if turn.get("type") == ADVISOR]
    details = {
        "cache_read_tokens": _sum(own, "cache_read_input_tokens"),
        "cache_write_tokens": _sum(own, "cache_creation_input_tokens"),
        "cache_write_1h_tokens": sum(
            count(as_object(turn.get("cache_creation")), "ephemeral_1h_input_tokens") or 0 for turn in own
        ),
        "reasoning_tokens": count(as_object(counts.get("output_tokens_details")), "thinking_tokens") or 0,
        "advisor_input_tokens": _sum(advisor, *PARTS_OF_PROMPT),
        "advisor_output_tokens": _sum(advisor, "output_tokens"),
        **{name: number for name, number in as_object(counts.get("server_tool_use")).items() if type(number) is int},
    }
    return {name: number for name, number in details.items() if number}


def _sum(turns: list[JSON], *names: str) -> int:
    return sum(count(turn, name) or 0 for turn in turns for name in names)
