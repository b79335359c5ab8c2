"""Plays a recording to an agent: its replies as a model, its answers to calls in place of the tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from pydantic import ValidationError

from agentgraph.agent.decide import Call
from agentgraph.agent.outcomes import CallOutcome
from agentgraph.calling import refusal
from agentgraph.exceptions import ModelRetry
from agentgraph.graph import Status
from agentgraph.messages import ModelMessage, ModelResponse, RetryPromptPart
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.settings import ModelSettings
from agentgraph.tools import Tool
from agentgraph.usage import Usage

from .differences import ReplayDiffers, first_difference
from .plain import plain
from .recording import Exchange, Recording

__all__ = ["Player"]


class Player(Model):
    """Answers each request with the recorded reply, and compares what it is asked with what was asked then.

    What it raises ends the run; whoever runs the agent looks at `difference` and `over` then, for code in between may
    have made something else of the error.
    """

    def __init__(self, recording: Recording, *, system_prompts: bool) -> None:
        self._recording = recording
        self._system_prompts = system_prompts
        self.history: Callable[[], Sequence[ModelMessage]] = list[ModelMessage]
        """The messages of the run of today. What a model is told beside them is not in a recording."""
        self._played = int(recording.begun)
        self._counted = -2
        """The exchange whose calls have been given what they used."""
        self.difference: ReplayDiffers | None = None
        """Where the agent parted from the recording."""
        self.over = False
        """The recording has ended before the agent did."""

    @property
    def model_name(self) -> str:
        return "replay"

    @property
    def system(self) -> str:
        return "replay"

    def price_problem(self) -> str | None:
        """None: what replies cost is in the recording."""

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        recording = self._recording
        if self._played == len(recording.exchanges):
            if recording.record.status is Status.SUCCEEDED:
                self._differ(recording.record.seq, "the agent of today asks on, the recorded run had its result")
            self._compare(recording.record.seq, [*recording.history, *recording.pending], self.history())
            self._end()
        exchange = recording.exchanges[self._played]
        self._compare(exchange.step, recording.history[: exchange.at], self.history())
        self._played += 1
        return exchange.reply, exchange.usage

    def answer(self, run_id: str, call: Call, tool: Tool[Any]) -> CallOutcome | None:
        """What a call was answered with, or what the agent of today says to arguments that do not fit."""
        if run_id != self._recording.fork.run_id:
            return None
        exchange = self._recording.exchanges[self._played - 1]
        found = self._outcome(exchange, call, tool)
        if exchange.step == self._counted:
            return found
        self._counted = exchange.step
        return replace(found, usage=found.usage or exchange.used)

    def finish(self, result: list[Any] | None) -> None:
        """Compare the end of a run that has come to one, the result in a list of its own as `read_result` gives it.

        Raises:
            ReplayDiffers: the recorded run has another one.
        """
        recording = self._recording
        if self._played < len(recording.exchanges):
            exchange = recording.exchanges[self._played]
            said = plain(recording.history[: exchange.at])
            self._differ(
                exchange.step, "the agent of today has its result, the recorded run asked on", said[-1], result
            )
        if recording.record.status is not Status.SUCCEEDED:
            return
        self._compare(recording.record.seq - 1, recording.history, self.history())
        if recording.result is not None and recording.result != result:
            self._differ(recording.record.seq - 1, "the result is another one", recording.result, result)

    def _outcome(self, exchange: Exchange, call: Call, tool: Tool[Any]) -> CallOutcome:
        try:
            tool.read(call.part)
        except (ValidationError, ModelRetry) as problem:
            return CallOutcome(refusal(problem, call.part))
        found = exchange.outcomes.get(call.position)
        if found is None:
            self._end()
        if isinstance(found.part, RetryPromptPart) and not isinstance(found.part.content, str):
            what = f"the arguments of the call of {tool.name!r} fit today, so there is no recorded return"
            self._differ(exchange.step + 1, what, found.part.content, call.part.args)
        return found

    def _compare(self, step: int, recorded: Sequence[ModelMessage], today: Sequence[ModelMessage]) -> None:
        found = first_difference(self._plain(recorded), self._plain(today))
        if found is not None:
            what = f"the messages of the agent of today are other ones, {found.where}"
            self._differ(step, what, found.recorded, found.today)

    def _plain(self, messages: Sequence[ModelMessage]) -> list[Any]:
        found = plain(messages)
        if self._system_prompts:
            return found
        kind = "system-prompt"
        return [{**each, "parts": [part for part in each["parts"] if part["part_kind"] != kind]} for each in found]

    def _differ(self, step: int, what: str, recorded: object = None, today: object = None) -> NoReturn:
        self.difference = ReplayDiffers(self._recording.record.run_id, step, what, recorded, today)
        raise self.difference

    def _end(self) -> NoReturn:
        self.over = True
        raise EndOfRecordingError


class EndOfRecordingError(Exception):
    """Ends the run of today where the recorded one had got no further."""
