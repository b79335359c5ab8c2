"""System prompts, and the conversations that runs start from."""

from __future__ import annotations

from functools import partial

import pytest

from agentgraph import Agent, ImageUrl, RunContext
from agentgraph.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    UserContent,
    UserPromptPart,
)
from agentgraph.models.test import TestModel
from tests.agent.scripted import Asked

pytestmark = pytest.mark.anyio


def system_prompts(message: ModelMessage) -> list[str]:
    return [part.content for part in message.parts if isinstance(part, SystemPromptPart)]


async def test_texts_come_first_then_functions_in_order_then_the_user() -> None:
    model = Asked()
    agent = Agent(model, system_prompt=("One.", "Two."), deps_type=int)

    @agent.system_prompt
    def three() -> str:
        return "Three."

    @agent.system_prompt()
    async def four(ctx: RunContext[int]) -> str:
        return f"{ctx.deps + 1}, {ctx.prompt}"

    @agent.system_prompt(dynamic=False)
    async def five() -> str:
        return "Five."

    @agent.system_prompt
    def six(ctx: RunContext[int]) -> str:
        return f"step {ctx.run_step}, {ctx.messages}"

    await agent.run("Hello", deps=3)
    *prompts, user = model.last.parts
    assert [part.content for part in prompts] == ["One.", "Two.", "Three.", "4, Hello", "Five.", "step 0, []"]
    assert all(isinstance(part, SystemPromptPart) and part.dynamic_ref is None for part in prompts)
    assert isinstance(user, UserPromptPart)
    assert user.content == "Hello"


async def test_a_prompt_may_be_several_pieces() -> None:
    model = Asked()
    prompt: list[UserContent] = ["What is it?", ImageUrl("https://example.org/cat.png")]
    await Agent(model).run(prompt)
    assert [part.content for part in model.last.parts] == [prompt]


async def test_an_agent_without_system_prompts_sends_none() -> None:
    model = Asked()
    await Agent(model).run("Hello")
    assert [part.part_kind for part in model.last.parts] == ["user-prompt"]


async def test_one_text_is_one_prompt() -> None:
    model = Asked()
    await Agent(model, system_prompt="Be brief.").run("Hello")
    assert system_prompts(model.last) == ["Be brief."]


async def test_static_prompts_are_not_added_to_a_history() -> None:
    model = Asked()
    agent = Agent(model, system_prompt="Be brief.")
    first = await agent.run("Hello")
    second = await agent.run("And?", message_history=first.all_messages())
    assert [system_prompts(message) for message in second.all_messages()] == [["Be brief."], [], [], []]
    assert second.all_messages()[:2] == first.all_messages()
    assert second.new_messages() == second.all_messages()[2:]


async def test_an_empty_history_is_a_new_conversation() -> None:
    model = Asked()
    await Agent(model, system_prompt="Be brief.").run("Hello", message_history=[])
    assert system_prompts(model.last) == ["Be brief."]


async def test_a_prompt_that_is_not_dynamic_stays_as_it_was_in_a_history() -> None:
    agent = Agent(TestModel(), deps_type=str)

    @agent.system_prompt
    async def user_name(ctx: RunContext[str]) -> str:
        return f"The user is {ctx.deps}."

    history = (await agent.run("Hello", deps="Ada")).all_messages()
    messages = (await agent.run("And?", deps="Bob", message_history=history)).all_messages()
    assert system_prompts(messages[0]) == ["The user is Ada."]
    assert messages[: len(history)] == history


async def test_a_dynamic_prompt_is_made_anew_in_its_place() -> None:
    agent = Agent(TestModel(), system_prompt="First.", deps_type=str)

    @agent.system_prompt(dynamic=True)
    async def user_name(ctx: RunContext[str]) -> str:
        return f"The user is {ctx.deps}."

    @agent.system_prompt
    def last() -> str:
        return "Last."

    first = await agent.run("Hello", deps="Ada")
    opening = first.all_messages()[0]
    parts = [(part.content, part.dynamic_ref) for part in opening.parts if isinstance(part, SystemPromptPart)]
    assert parts == [("First.", None), ("The user is Ada.", user_name.__qualname__), ("Last.", None)]

    history = first.all_messages()
    second = await agent.run("And?", deps="Bob", message_history=history)
    assert system_prompts(second.all_messages()[0]) == ["First.", "The user is Bob.", "Last."]
    assert second.all_messages()[1] is history[1]
    assert system_prompts(history[0]) == ["First.", "The user is Ada.", "Last."]


async def test_a_dynamic_prompt_is_found_in_a_history_that_was_json() -> None:
    agent = Agent(TestModel(), deps_type=str)

    @agent.system_prompt(dynamic=True)
    def user_name(ctx: RunContext[str]) -> str:
        return ctx.deps

    first = await agent.run("Hello", deps="Ada")
    history = ModelMessagesTypeAdapter.validate_json(first.all_messages_json())
    again = await agent.run("And?", deps="Bob", message_history=history)
    assert system_prompts(again.all_messages()[0]) == ["Bob"]


async def test_prompts_of_functions_that_are_gone_stay() -> None:
    agent = Agent(TestModel())

    @agent.system_prompt(dynamic=True)
    def here() -> str:
        return "new"

    history: list[ModelMessage] = [
        ModelRequest([SystemPromptPart("old", dynamic_ref="gone"), UserPromptPart("Hello")]),
        ModelResponse([TextPart("Hi")]),
    ]
    result = await agent.run("And?", message_history=history)
    assert system_prompts(result.all_messages()[0]) == ["old"]


async def test_a_dynamic_prompt_sees_the_new_prompt_and_the_history() -> None:
    agent = Agent(TestModel())

    @agent.system_prompt(dynamic=True)
    def about(ctx: RunContext) -> str:
        return f"{ctx.prompt} after {len(ctx.messages)}"

    first = await agent.run("Hello")
    second = await agent.run("And?", message_history=first.all_messages())
    assert system_prompts(second.all_messages()[0]) == ["And? after 2"]


async def test_a_partial_can_make_a_dynamic_prompt() -> None:
    agent = Agent(TestModel())

    def speak(language: str) -> str:
        return f"Speak {language}."

    agent.system_prompt(dynamic=True)(partial(speak, language="Latin"))
    first = await agent.run("Hello")
    assert system_prompts(first.all_messages()[0]) == ["Speak Latin."]


def test_the_decorator_hands_the_function_back() -> None:
    def prompt() -> str:
        return "Be brief."

    agent = Agent(TestModel())
    assert agent.system_prompt(prompt) is prompt
    assert agent.system_prompt(dynamic=True)(prompt) is prompt
