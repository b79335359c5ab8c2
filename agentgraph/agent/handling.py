"""From a reply to what comes next: the final result or the next request. Streamed or not, every reply comes here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import ModelRequest, ModelRequestPart, ModelResponse, RetryPromptPart, ToolReturnPart
from agentgraph.result import Accepted, Rejected, validate
from agentgraph.tools import unknown_tool

from .calls import Tell, run_calls
from .config import AgentContext, run_context
from .decide import Call, CallKind, HandleCalls, NothingSaid, TakeText, decide
from .outcomes import Answer
from .retries import count_result_retry, count_tool_retries
from .state import FinalResult

__all__ = ["RESULT_TAKEN", "handle"]

RESULT_TAKEN = "This is the final result; it was taken."
SKIPPED = "This call was skipped: the same reply holds the final result."
UNUSED = "This result is not used: another call of the same reply is the final result."


async def handle(
    ctx: AgentContext[Any], reply: ModelResponse, tell: Tell | None = None
) -> ModelRequest | FinalResult[Any]:
    """Do what `reply` asks for; `tell` hears what happens to its calls.

    Raises:
        UnexpectedModelBehavior: the reply is empty, or asks again too often.
        UsageLimitExceeded: the run has used more than it may; the reply is stored already.
        Exception: what a tool or validator raises.
    """
    config = ctx.deps
    spent = config.spent(ctx.state.usage)
    config.limits.check_tokens(spent)
    config.limits.check_cost(spent)
    match decide(reply, config.toolbox.tools, config.result.tool_names):
        case HandleCalls() as calls:
            functions = calls.of(CallKind.FUNCTION)
            if len(functions) == len(calls.calls):
                return await _next_request(ctx, calls, functions, {}, tell)
            return await _handle_calls(ctx, calls, functions, tell)
        case NothingSaid():
            message = f"the model's reply is empty: neither text nor a tool call, finish reason {reply.finish_reason}"
            raise UnexpectedModelBehavior(message)
        case TakeText(text):
            verdict = await _judge(ctx, config.result.read_text(text), None)
            if isinstance(verdict, Accepted):
                return FinalResult(verdict.value)
            ctx.state.retries = count_result_retry(ctx.state.retries, verdict.prompt, config.result_retries)
            return ModelRequest([verdict.prompt])
        case _ as never:  # pyright: ignore[reportUnnecessaryComparison] - the closed union is held by assert_never
            assert_never(never)


@dataclass(frozen=True, slots=True)
class _Winner:
    """The call that gave the final result."""

    call: Call
    value: Any  # Any: a result of any type


async def _handle_calls(
    ctx: AgentContext[Any], calls: HandleCalls, functions: Sequence[Call], tell: Tell | None
) -> ModelRequest | FinalResult[Any]:
    """Handle calls some of which are no `functions`: they are to give the result, or of tools that there are not."""
    refused = {call.position: unknown_tool(call.part, _tool_names(ctx)) for call in calls.of(CallKind.UNKNOWN)}
    winner: _Winner | None = None
    for call in calls.of(CallKind.RESULT):
        verdict = await _judge(ctx, ctx.deps.result.read_call(call.part), call)
        if isinstance(verdict, Accepted):
            winner = _Winner(call, verdict.value)
            break
        refused[call.position] = verdict.prompt
    if winner is None:
        return await _next_request(ctx, calls, functions, refused, tell)
    ran: Mapping[int, Answer] = {}
    if ctx.deps.end_strategy == "exhaustive":
        ran = await run_calls(ctx, functions, tell)
    ctx.state.message_history.append(ModelRequest(_closing(calls, winner, ran)))
    return FinalResult(winner.value, winner.call.part.tool_name, winner.call.part.tool_call_id)


async def _next_request(
    ctx: AgentContext[Any],
    calls: HandleCalls,
    functions: Sequence[Call],
    refused: Mapping[int, RetryPromptPart],
    tell: Tell | None,
) -> ModelRequest:
    ran = await run_calls(ctx, functions, tell)
    state, config = ctx.state, ctx.deps
    if refused:
        state.retries = count_result_retry(state.retries, next(iter(refused.values())), config.result_retries)
    state.tool_retries = count_tool_retries(state.tool_retries, ran.values(), config.toolbox.max_retries)
    answers = {**ran, **refused} if refused else ran
    return ModelRequest([answers[call.position] for call in calls.calls])


def _closing(calls: HandleCalls, winner: _Winner, ran: Mapping[int, Answer]) -> list[ModelRequestPart]:
    # Every call of the reply is answered, so that the conversation can go on from here with any service.
    said: list[ModelRequestPart] = []
    last: list[ModelRequestPart] = []
    for call in calls.calls:
        if call.position in ran:
            last.append(ran[call.position])
            continue
        content = RESULT_TAKEN if call is winner.call else UNUSED if call.kind is CallKind.RESULT else SKIPPED
        said.append(ToolReturnPart(call.part.tool_name, content, call.part.tool_call_id))
    return said + last


async def _judge(
    ctx: AgentContext[Any], verdict: Accepted[Any] | Rejected, call: Call | None
) -> Accepted[Any] | Rejected:
    if isinstance(verdict, Rejected) or not ctx.deps.validators:
        return verdict
    here = run_context(ctx).replace_with(retry=ctx.state.retries)
    return await validate(ctx.deps.validators, verdict.value, call.part if call else None, here)


def _tool_names(ctx: AgentContext[Any]) -> list[str]:
    return [*ctx.deps.toolbox.tools, *sorted(ctx.deps.result.tool_names)]
