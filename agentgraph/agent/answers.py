"""Calls that wait for a person, or for work done elsewhere: what is asked, and what can be answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from agentgraph.exceptions import RunWaiting, UserError
from agentgraph.graph import Question, RunRecord, Store, open_questions
from agentgraph.messages import ToolCallPart
from agentgraph.tools import Tool

__all__ = [
    "Reason",
    "ToolApproved",
    "ToolDenied",
    "ToolRequest",
    "ToolValue",
    "hand_in",
    "open_requests",
    "read_answer",
    "requests_of",
]

Reason: TypeAlias = Literal["approval", "deferred", "unknown outcome"]
"""Why a call waits: a person has to approve it, its work is done elsewhere, or its process died while it ran."""


@dataclass(frozen=True, kw_only=True)
class ToolApproved:
    """The call may be made."""

    args: dict[str, Any] | None = None
    """Other arguments than those the model gave; None: its own."""
    digest: str | None = None
    """That of the request that was seen; an answer to another one is refused."""
    kind: Literal["approved"] = "approved"


@dataclass(frozen=True)
class ToolDenied:
    """The call must not be made; the model is told why."""

    message: str = "This call was denied."
    digest: str | None = None
    """That of the request that was seen; an answer to another one is refused."""
    kind: Literal["denied"] = "denied"


@dataclass(frozen=True)
class ToolValue:
    """What the call is to return: any other answer is taken for this one."""

    value: Any  # what JSON can hold
    digest: str | None = None
    """That of the request that was seen; an answer to another one is refused."""
    kind: Literal["value"] = "value"


ToolAnswer: TypeAlias = Annotated[ToolApproved | ToolDenied | ToolValue, Field(discriminator="kind")]


@dataclass(frozen=True)
class ToolRequest:
    """A call that waits for an answer."""

    run_id: str
    """The run that asks: the one that waits, or an agent that it runs in a tool."""
    key: str
    """Names the question in the run that waits; `answers` and `Agent.answer` take it, or the call's id."""
    call: ToolCallPart
    """The call with its arguments."""
    reason: Reason
    digest: str
    """Of the tool and the arguments: an answer that names it cannot be taken for another call's."""


@dataclass(frozen=True)
class _About:
    """What a question of a tool call holds."""

    reason: Reason
    call: ToolCallPart


def about(reason: Reason, call: ToolCallPart) -> Any:
    """What is asked about a call, as a question holds it: what JSON can hold."""
    return _about_adapter().dump_python(_About(reason, call), mode="json")


def requests_of(run_id: str, questions: Sequence[object]) -> list[object]:
    """What `run_id` waits for as its callers see it; questions that are not about a call stay as they are."""
    return [_request(run_id, question) if isinstance(question, Question) else question for question in questions]


def read_answer(answer: bytes) -> ToolApproved | ToolDenied | ToolValue:
    """An answer out of the journal.

    One that was stored without an agent's help is taken for what the call is to return.
    """
    try:
        return _answer_adapter().validate_json(answer)
    except ValidationError:
        return ToolValue(from_json(answer))


async def hand_in(
    store: Store, record: RunRecord, answers: Mapping[str, Any], tools: Mapping[str, Tool[Any]] | None = None
) -> None:
    """Store answers to the open questions of a run, or of the runs below it that it waits for.

    All of them are looked at before the first is stored. `tools` are those of the run's agent.

    Raises:
        UserError: a key names no open question, or several; the answer is about another call, cannot be turned into
            JSON, or has arguments that the tool does not take.
        StoreError: the store cannot be written.
    """
    questions = await _open_now(store, record.run_id)
    ready: list[tuple[Question, object, str | None]] = []
    for key, value in answers.items():
        answer = value if isinstance(value, ToolApproved | ToolDenied | ToolValue) else ToolValue(value)
        question = _named(record.run_id, questions, key)
        _check(key, question, answer, tools if tools is not None and question.run_id == record.run_id else {})
        stored = _plain(key, answer)
        if isinstance(answer, ToolValue) and _call(question) is None:  # of a graph of the user's own: it knows no calls
            stored = stored["value"]
        ready.append((question, stored, answer.digest))
    for question, stored, digest in ready:
        await store.answer(question.run_id, question.key, stored, digest)


async def open_requests(store: Store, run_id: str) -> list[ToolRequest | Question]:
    """What a run waits for, as its callers see it."""
    return [_request(run_id, question) for question in await _open_now(store, run_id)]


async def _open_now(store: Store, run_id: str) -> list[Question]:
    """What a run waits for; a question of a run below counts as long as it is open there."""
    asked = open_questions(await store.calls(run_id))
    below = {question.run_id for question in asked} - {run_id}
    there = {(each.run_id, each.key) for below_id in below for each in open_questions(await store.calls(below_id))}
    return [question for question in asked if question.run_id == run_id or (question.run_id, question.key) in there]


def _check(
    key: str, question: Question, answer: ToolApproved | ToolDenied | ToolValue, tools: Mapping[str, Tool[Any]]
) -> None:
    if answer.digest not in (None, question.digest):
        raise UserError(f"{key!r} of run {question.run_id!r} is about another call than the one that was answered")
    asked = _call(question)
    if asked is None or not isinstance(answer, ToolApproved) or answer.args is None:
        return
    call = replace(asked, args=answer.args)
    tool = tools.get(call.tool_name)
    if tool is not None and not tool.accepts(call):
        raise UserError(f"tool {tool.name!r} does not take the arguments with which {key!r} was approved")


def _plain(key: str, answer: ToolApproved | ToolDenied | ToolValue) -> Any:
    try:
        return _answer_adapter().dump_python(answer, mode="json")
    except ValueError as error:  # pydantic's serializer
        raise UserError(f"the answer to {key!r} cannot be turned into JSON: {error}") from error


def _named(run_id: str, questions: Sequence[Question], key: str) -> Question:
    found = [question for question in questions if key == question.key_in(run_id)]
    found = found or [question for question in questions if key == _call_id(question)]
    if len(found) == 1:
        return found[0]
    there_are = ", ".join(f"{question.key_in(run_id)} (call {_call_id(question)})" for question in questions) or "none"
    what = "names several open questions" if found else "names no open question"
    raise UserError(f"{key!r} {what} of run {run_id!r}; there are: {there_are}")


def _call(question: Question) -> ToolCallPart | None:
    """The call that a question is about, if it is about one."""
    request = _request(question.run_id, question)
    return request.call if isinstance(request, ToolRequest) else None


def _call_id(question: Question) -> str | None:
    asked = _call(question)
    return None if asked is None else asked.tool_call_id


def _request(run_id: str, question: Question) -> ToolRequest | Question:
    try:
        found = _about_adapter().validate_python(question.about)
    except ValidationError:  # a question of the user's own
        return question
    return ToolRequest(question.run_id, question.key_in(run_id), found.call, found.reason, question.digest)


def tell_requests(waiting: RunWaiting) -> None:
    """Let the error name requests where it named questions."""
    waiting.requests = tuple(requests_of(waiting.run_id or "", waiting.questions))


@cache
def _about_adapter() -> TypeAdapter[_About]:
    return TypeAdapter(_About)


@cache
def _answer_adapter() -> TypeAdapter[ToolApproved | ToolDenied | ToolValue]:
    return TypeAdapter(ToolAnswer)
