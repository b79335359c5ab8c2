"""Scripted models: what an agent is told at each step, made up by hypothesis, and the agent that it is told to."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
from hypothesis import strategies as st
from pydantic import BaseModel

from agentgraph import Agent, ModelRetry, NativeResult, PromptedResult, RunContext, Usage, UsageLimits
from agentgraph.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from agentgraph.models.function import AgentInfo, DeltaToolCall, FunctionModel


class Point(BaseModel):
    """A place."""

    x: int
    y: int = 0


@dataclass
class Pair:
    """Two words."""

    left: str
    right: str


EITHER: Any = Point | Pair
RESULT_TYPES: dict[str, Any] = {  # Any: unions are no types to a checker
    "text": str,
    "number": int,
    "point": Point,
    "point or pair": Point | Pair,
    "text or point": str | Point,
    "native point": NativeResult(Point),
    "native either": NativeResult(EITHER),
    "prompted numbers": PromptedResult(list[int]),
}


@dataclass(frozen=True)
class Script:
    """What the model says, reply by reply, and how the agent is set up."""

    replies: tuple[tuple[ModelResponsePart, ...], ...]
    result_type: str = "text"
    validated: bool = False
    end_strategy: Literal["early", "exhaustive"] = "early"
    retries: int = 1
    result_retries: int | None = None
    request_limit: int = 50
    streamed: bool = False
    """Whether the model is a function that streams, or one that replies."""

    def reply(self, messages: list[ModelMessage]) -> list[ModelResponsePart]:
        """The reply is a function of the messages alone, so that it is the same after a resume."""
        turn = sum(isinstance(message, ModelResponse) for message in messages)
        return list(self.replies[turn]) if turn < len(self.replies) else [self._last()]

    def _last(self) -> ModelResponsePart:
        match self.result_type:
            case "number":
                return ToolCallPart("final_result", '{"response": 4}', "last")
            case "point":
                return ToolCallPart("final_result", {"x": 4}, "last")
            case "native point":
                return TextPart('{"x": 4}')
            case "native either":
                return TextPart('{"response": {"kind": "Pair", "data": {"left": "l", "right": "r"}}}')
            case "prompted numbers":
                return TextPart('```json\n{"response": [1, 2]}\n```')
            case "point or pair":
                return ToolCallPart("final_result_Pair", {"left": "l", "right": "r"}, "last")
            case _:
                return TextPart("the end")

    def model(self) -> FunctionModel:
        def function(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            return ModelResponse(self.reply(messages))

        async def stream_function(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
            for index, part in enumerate(self.reply(messages)):
                match part:
                    case TextPart(content) | ThinkingPart(content):
                        yield content[:3]
                        yield content[3:]
                    case ToolCallPart(name, _, call_id):
                        args = part.args_as_json_str()
                        yield {index: DeltaToolCall(name, args[:4], call_id)}
                        yield {index: DeltaToolCall(json_args=args[4:])}
                    case _:
                        pass  # functions run no tools of a service

        return FunctionModel(stream_function=stream_function) if self.streamed else FunctionModel(function)


@dataclass
class Effects:
    """What the tools of an agent have done: how often each call came to its end, by its idempotency key."""

    done: Counter[str] = field(default_factory=Counter[str])

    def note(self, ctx: RunContext[None]) -> None:
        assert ctx.idempotency_key is not None
        self.done[ctx.idempotency_key] += 1


def agent_for(script: Script, effects: Effects | None = None, guarded: Collection[str] = ()) -> Agent[None, Any]:
    """The agent that a script is told to; calls of the `guarded` tools need approval."""
    seen = effects or Effects()
    agent: Agent[None, Any] = Agent(
        script.model(),
        result_type=RESULT_TYPES[script.result_type],
        system_prompt="Be brief.",
        name="scripted",
        end_strategy=script.end_strategy,
        retries=script.retries,
        result_retries=script.result_retries,
    )
    _add_tools(agent, seen, guarded)

    if script.validated:

        @agent.result_validator
        async def check(ctx: RunContext[None], data: Any) -> Any:
            await anyio.lowlevel.checkpoint()
            if "bad" in str(data) or "13" in str(data):
                message = f"not {data}, attempt {ctx.retry}"
                raise ModelRetry(message)
            return data

    return agent


def _add_tools(agent: Agent[None, Any], seen: Effects, guarded: Collection[str]) -> None:
    @agent.tool(requires_approval="double" in guarded)
    async def double(ctx: RunContext[None], x: int) -> int:
        await anyio.lowlevel.checkpoint()
        seen.note(ctx)
        return 2 * x

    @agent.tool(requires_approval="shout" in guarded)
    def shout(ctx: RunContext[None], text: str) -> dict[str, str]:
        seen.note(ctx)
        return {"said": text.upper()}

    @agent.tool(retries=2, requires_approval="picky" in guarded)
    async def picky(ctx: RunContext[None], x: int) -> str:
        seen.note(ctx)
        if x % 2:
            message = f"{x} is odd, attempt {ctx.retry}"
            raise ModelRetry(message)
        return "even"

    @agent.tool(requires_approval="spend" in guarded)
    async def spend(ctx: RunContext[None], x: int) -> str:
        ctx.usage.incr(Usage(1, x, None, x, {"spent": x}))
        seen.note(ctx)
        return "spent"

    @agent.tool_plain
    async def broken(x: int) -> str:
        message = f"broken by {x}"
        raise ValueError(message)


def limits(script: Script) -> UsageLimits:
    return UsageLimits(request_limit=script.request_limit)


# ---------------------------------------------------------------------------------------------------------- strategies

numbers = st.integers(0, 14)
number_args = st.one_of(
    numbers.map(lambda x: {"x": x}),
    numbers.map(lambda x: f'{{"x": {x}}}'),
    st.sampled_from(['{"x": "many"}', '{"x": 1', "", "{}", "[]", '{"y": 1}']),
)
call_ids = st.sampled_from([None, "a", "b", "c"])
texts = st.sampled_from(["", "Hello", "Hello to you", "bad", "13", "two\n\nparagraphs"]).map(TextPart)
json_texts = st.sampled_from(
    [
        '{"x": 1}',
        '{"x": 13, "y": 2}',
        '{"response": [1, 2, 3]}',
        'Here: ```json\n{"response": [13]}\n```',
        '{"response": {"kind": "Pair", "data": {"left": "a", "right": "b"}}}',
        '{"response": {"kind": "Point", "data": {"x": "bad"}}}',
        '{"x"',
    ]
).map(TextPart)
beside: list[ModelResponsePart] = [
    ThinkingPart("Let me see"),
    NativeToolCallPart("double", {"x": 1}, "a"),
    NativeToolReturnPart("double", 2, "a"),
]
thoughts = st.sampled_from(beside)
function_calls = st.builds(
    ToolCallPart, st.sampled_from(["double", "picky", "spend", "double", "picky", "nowhere"]), number_args, call_ids
) | st.builds(ToolCallPart, st.just("shout"), st.sampled_from(['{"text": "hey"}', '{"text": 1}']), call_ids)
broken_calls = st.builds(ToolCallPart, st.just("broken"), st.just('{"x": 1}'), call_ids)
result_args = st.sampled_from(
    [
        '{"response": 7}',
        '{"response": 13}',
        '{"x": 1}',
        '{"x": 13, "y": 2}',
        '{"left": "a", "right": "bad"}',
        '{"x"',
        "",
    ]
)
result_calls = st.builds(
    ToolCallPart,
    st.sampled_from(["final_result", "final_result_Point", "final_result_Pair"]),
    result_args,
    call_ids,
)


@st.composite
def replies(draw: st.DrawFn) -> tuple[ModelResponsePart, ...]:
    """Mostly calls, so that runs last; one tool at most raises, for which of two is first is nobody's promise."""
    parts: list[ModelResponsePart] = list(draw(st.lists(texts | json_texts | thoughts, max_size=2)))
    if draw(st.integers(0, 4)) == 0:
        return tuple(parts)
    parts += draw(st.lists(function_calls, max_size=4))
    if draw(st.integers(0, 9)) == 0:
        parts.append(draw(broken_calls))
    parts += draw(st.lists(result_calls, max_size=2))
    return tuple(draw(st.permutations(parts)))


scripts = st.builds(
    Script,
    replies=st.lists(replies(), max_size=4).map(tuple),
    result_type=st.sampled_from(sorted(RESULT_TYPES)),
    validated=st.booleans(),
    end_strategy=st.sampled_from(["early", "exhaustive"]),
    retries=st.integers(0, 3),
    result_retries=st.none() | st.integers(0, 3),
    request_limit=st.sampled_from([1, 2, 3, 50, 50, 50]),
    streamed=st.booleans(),
)
