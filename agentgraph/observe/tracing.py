"""The observer that makes spans: one for the run, and inside of it one for each request and each call of a tool.

A run's span is current in the turns of its nodes, a call's in its tool and a request's until the connection is open:
all of them begin and end within one task. It is not current in the blocks of `iter` and `run_stream`, which belong to
the caller, whose spans there stay where the caller put them.
"""

from __future__ import annotations

import logging
from typing import assert_never

from opentelemetry.context import Context, create_key, get_current, get_value, set_value
from opentelemetry.trace import SpanKind

from agentgraph.agent import CallEnded, CallStarted, ReplyStarted, RequestEnded, RequestStarted
from agentgraph.agent.observers import Observed
from agentgraph.graph import Emitted, RunEnded, RunEvent, RunStarted, Status, StepEnded, StepStarted
from agentgraph.messages import ModelResponse, RetryPromptPart
from agentgraph.model import Model
from agentgraph.models.wrapper import WrapperModel
from agentgraph.usage import Usage

from .attributes import call_attributes, model_attributes
from .content import arguments, input_messages, output_messages
from .instrumented import InstrumentedModel
from .requests import RequestSpan
from .settings import InstrumentationSettings
from .spans import OpenSpan, as_text

__all__ = ["TracingObserver"]

RUN = create_key("agentgraph-run")
"""Under this, a context keeps the observer of the run that it is inside of."""

log = logging.getLogger("agentgraph.observe")


class TracingObserver:
    """Makes the spans of one run of an agent. Tracing that fails is logged; the run does not hear of it."""

    def __init__(self, settings: InstrumentationSettings, observed: Observed) -> None:
        self._settings, self._observed = settings, observed
        self._run: OpenSpan | None = None
        self._requests: dict[RequestStarted, RequestSpan] = {}
        self._calls: dict[CallStarted, OpenSpan] = {}
        self._used = Usage()
        self._reply: ModelResponse | None = None

    def __call__(self, event: RunEvent) -> None:
        try:
            self._take(event)
        except Exception:
            log.exception("a run goes on without the spans of %s", type(event).__name__)

    def _take(self, event: RunEvent) -> None:
        if isinstance(event, RunStarted):
            self._run = self._begin_run(event)
            return
        run = self._run
        if run is None:
            return
        match event:
            case StepStarted():
                run.leave()  # where a turn begins anew that was not ended
                run.enter()
            case StepEnded():
                run.leave()
            case Emitted():
                self._take_emitted(run, event.event)
            case RunEnded():
                self._end_run(run, event)
            case _ as never:  # pyright: ignore[reportUnnecessaryComparison] - the closed union is held by assert_never
                assert_never(never)

    def _take_emitted(self, run: OpenSpan, event: object) -> None:
        match event:
            case RequestStarted():
                self._begin_request(run, event)
            case ReplyStarted():
                self._requests.get(event.request, run).leave()
            case RequestEnded():
                self._end_request(run, event)
            case CallStarted():
                self._begin_call(run, event)
            case CallEnded():
                self._end_call(event)
            case _:
                run.span.add_event(type(event).__name__, self._shown(event))

    def _begin_run(self, event: RunStarted) -> OpenSpan:
        agent = self._observed.agent
        told = model_attributes(self._observed.model, "invoke_agent")
        told |= {"agentgraph.run.id": event.run_id, "agentgraph.run.first_step": event.seq}
        if agent is not None:
            told["gen_ai.agent.name"] = agent
        parent = set_value(RUN, self, get_current())
        span = self._settings.tracer.start_span(
            "invoke_agent" if agent is None else f"invoke_agent {agent}", parent, SpanKind.INTERNAL, told
        )
        return OpenSpan(self._settings, span, parent)

    def _end_run(self, run: OpenSpan, event: RunEnded) -> None:
        self._run = None
        for unfinished in (*self._calls.values(), *self._requests.values()):  # streams whose blocks nobody left
            unfinished.end()
        if self._reply is not None:
            run.show({"gen_ai.output.messages": output_messages(self._reply)})
        run.tell({"agentgraph.run.status": str(event.status), **self._used.opentelemetry_attributes()})
        if event.status is Status.FAILED and event.error is not None:
            kind, _, message = event.error.partition(": ")
            run.mark(kind, message)
        run.end()

    def _begin_request(self, run: OpenSpan, event: RequestStarted) -> None:
        if not self._used.requests:
            run.show({"gen_ai.input.messages": input_messages(event.messages[-1:])})
        if _makes_spans(event.model):
            run.enter()  # what the model makes itself goes there
            return
        span = self._requests[event] = RequestSpan(self._settings, event, self._inside(run))
        span.enter()

    def _end_request(self, run: OpenSpan, event: RequestEnded) -> None:
        self._used.incr(event.usage or Usage(), requests=1)
        self._reply = event.reply or self._reply
        span = self._requests.pop(event.request, None)
        if span is None:
            run.leave()
        else:
            span.close(event)

    def _begin_call(self, run: OpenSpan, event: CallStarted) -> None:
        parent = self._inside(run)
        span = self._settings.tracer.start_span(
            f"execute_tool {event.part.tool_name}", parent, SpanKind.INTERNAL, call_attributes(event.part)
        )
        opened = self._calls[event] = OpenSpan(self._settings, span, parent)
        opened.show({"gen_ai.tool.call.arguments": arguments(event.part)})
        opened.enter()

    def _end_call(self, event: CallEnded) -> None:
        span = self._calls.pop(event.call)
        match event.answer:
            case None:
                pass
            case RetryPromptPart() as answer:
                span.mark("ModelRetry", answer.model_response())
            case answer:
                span.show({"gen_ai.tool.call.result": answer.content})
        if event.waits:
            span.tell({"agentgraph.call.waiting": True})
        elif event.error is not None:
            span.fail(event.error)
        span.end()

    def _inside(self, run: OpenSpan) -> Context:
        # A stream of a node runs outside of the node's turn, where the caller's spans are the current ones.
        here = get_current()
        return here if get_value(RUN, here) is self else run.context

    def _shown(self, event: object) -> dict[str, str] | None:
        return {"agentgraph.event": as_text(event)} if self._settings.include_content else None


def _makes_spans(model: Model) -> bool:
    while isinstance(model, WrapperModel):
        if isinstance(model, InstrumentedModel):
            return True
        model = model.wrapped
    return False
