"""Calls that wait for a person, or for work done elsewhere: what is asked, and what can be answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from agentgraph.exceptions import RunWaiting, UserError
from agentgraph.graph import Question, RunRecord, Store, open_questions
from agentgraph.messages import ToolCallPart

__all__ = ["Reason", "ToolApproved", "ToolDenied", "ToolRequest", "ToolValue", "hand_in", "read_answer", "requests_of"]

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

    Raises:
        ValidationError: it was not handed in by an agent (pydantic's).
    """
    return _answer_adapter().validate_json(answer)


async def hand_in(store: Store, record: RunRecord, answers: Mapping[str, Any]) -> None:
    """Store answers to the open questions of a run, or of the runs below it that it waits for.

    Raises:
        UserError: a key names no open question, or several, or the answer is about another call.
        StoreError: the store cannot be written.
    """
    for key, value in answers.items():
        answer = value if isinstance(value, ToolApproved | ToolDenied | ToolValue) else ToolValue(value)
        question = _named(record.run_id, open_questions(await store.calls(record.run_id)), key)
        stored = _answer_adapter().dump_python(answer, mode="json")
        await store.answer(question.run_id, question.key, stored, answer.digest)


def _named(run_id: str, questions: Sequence[Question], key: str) -> Question:
    found = [question for question in questions if key == question.key_in(run_id)]
    found = found or [question for question in questions if key == _call_id(question)]
    if len(found) == 1:
        return found[0]
    there_are = ", ".join(f"{question.key_in(run_id)} (call {_call_id(question)})" for question in questions) or "none"
    what = "names several open questions" if found else "names no open question"
    raise UserError(f"{key!r} {what} of run {run_id!r}; there are: {there_are}")


def _call_id(question: Question) -> str | None:
    request = _request(question.run_id, question)
    return request.call.tool_call_id if isinstance(request, ToolRequest) else None


def _request(run_id: str, question: Question) -> object:
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
