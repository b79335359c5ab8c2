"""What a model is told in each request of a run and in no message of its history."""

from __future__ import annotations

from dataclasses import replace

from agentgraph.messages import ModelMessage, ModelRequest, SystemPromptPart

__all__ = ["instructed"]


def instructed(messages: list[ModelMessage], instructions: str | None) -> list[ModelMessage]:
    """The messages with the instructions after the first system prompts; those given are not changed.

    They stand at the same place in every request of a run, so that what comes before the end stays cached.
    """
    if instructions is None:
        return messages
    told = SystemPromptPart(instructions)
    first = messages[0]
    if not isinstance(first, ModelRequest):
        return [ModelRequest([told]), *messages]
    prompts = (place for place, part in enumerate(first.parts) if not isinstance(part, SystemPromptPart))
    place = next(prompts, len(first.parts))
    return [replace(first, parts=[*first.parts[:place], told, *first.parts[place:]]), *messages[1:]]
