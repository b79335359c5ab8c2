from __future__ import annotations

import json
from typing import Any

import pytest

from agentgraph.cli.demo.conversation import Call, ChatRequest, Conversation, Reply
from agentgraph.cli.demo.rules import answer
from agentgraph.cli.demo.talk import talk

TICKET = "Ticket 7, from ada@example.com: the espresso machine has a cracked tank. I want my money back."
SYSTEM = "You may refund up to 20000 cents."
CUSTOMER = {"id": 1, "name": "Ada Quist", "since": "2021-03-14"}
MACHINE = {"id": 102, "item": "espresso machine", "cents": 18900, "status": "delivered"}
GRINDER = {"id": 101, "item": "burr grinder", "cents": 8900, "status": "delivered"}
TOOLS = ("look_up_customer", "look_up_order", "search_orders", "refund_order", "add_note", "escalate")
FIELDS = ("ticket_id", "outcome", "refunded_cents", "reply")

Answers = list[tuple[str, object]]


def reply(said: str, *answers: tuple[str, object], system: str = SYSTEM, tools: tuple[str, ...] = TOOLS) -> Reply:
    """What the model says after these tools have answered."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}, {"role": "user", "content": said}]
    for index, (tool, content) in enumerate(answers):
        call = {"id": f"c{index}", "function": {"name": tool, "arguments": "{}"}}
        text = content if isinstance(content, str) else json.dumps(content)
        messages.append({"role": "assistant", "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{index}", "content": text})
    offered = [{"function": {"name": name}} for name in tools]
    result = {"function": {"name": "final_result", "parameters": {"properties": dict.fromkeys(FIELDS)}}}
    body = {"model": "desk-1", "messages": messages, "tools": [*offered, result] if tools else []}
    return answer(Conversation.of(ChatRequest.model_validate(body)))


def called(said: Reply) -> list[str]:
    return [call.tool for call in said.calls]


def arguments(said: Reply, tool: str) -> dict[str, Any]:
    return dict(next(call.arguments for call in said.calls if call.tool == tool))


def test_it_asks_first_who_writes() -> None:
    assert reply(TICKET).calls == [Call("look_up_customer", {"email": "ada@example.com"})]


def test_an_order_that_is_named_is_looked_up_beside_it() -> None:
    said = reply("order 102 of ada@example.com is broken")
    assert called(said) == ["look_up_customer", "look_up_order"]
    assert arguments(said, "look_up_order") == {"order_id": 102}


def test_then_it_searches_for_what_was_bought() -> None:
    said = reply(TICKET, ("look_up_customer", CUSTOMER))
    assert arguments(said, "search_orders") == {"customer_id": 1, "words": ["cracked", "espresso", "machine", "tank"]}


def test_damaged_goods_are_refunded_noted_and_escalated_in_one_reply() -> None:
    said = reply(TICKET, ("look_up_customer", CUSTOMER), ("search_orders", [GRINDER, MACHINE]))
    assert called(said) == ["refund_order", "add_note", "escalate"]
    assert arguments(said, "refund_order")["order_id"] == 102
    assert arguments(said, "refund_order")["cents"] == 18900


def test_the_instructions_limit_the_refund() -> None:
    found = ("look_up_customer", CUSTOMER), ("search_orders", [MACHINE])
    assert called(reply(TICKET, *found, system="You may refund up to 5000 cents.")) == ["add_note", "escalate"]


def test_who_wants_no_money_gets_none() -> None:
    said = reply(
        TICKET.replace("I want my money back.", ""), ("look_up_customer", CUSTOMER), ("search_orders", [MACHINE])
    )
    assert called(said) == ["add_note", "escalate"]


def test_only_tools_on_offer_are_called() -> None:
    found = ("look_up_customer", CUSTOMER), ("search_orders", [MACHINE])
    assert called(reply(TICKET, *found, tools=("add_note",))) == ["add_note"]
    assert called(reply(TICKET, tools=("add_note",))) == ["final_result"]


def test_the_result_says_what_the_tools_have_done() -> None:
    done = ("refund_order", {"cents": 18900}), ("escalate", {"person": "Noor"})
    said = reply(TICKET, ("look_up_customer", CUSTOMER), ("search_orders", [MACHINE]), *done)
    result = arguments(said, "final_result")
    assert (result["ticket_id"], result["outcome"], result["refunded_cents"]) == (7, "refunded", 18900)
    assert "refunded 189.00 EUR. Noor has taken" in result["reply"]


def test_without_a_refund_it_is_escalated() -> None:
    said = reply(TICKET, ("look_up_customer", CUSTOMER), ("look_up_order", MACHINE), ("escalate", {"person": "Noor"}))
    assert arguments(said, "final_result")["outcome"] == "escalated"


def test_an_unknown_customer_is_told_so() -> None:
    said = reply(TICKET, ("look_up_customer", "No customer has this address."))
    assert arguments(said, "final_result")["outcome"] == "answered"
    assert "No customer has this address." in arguments(said, "final_result")["reply"]


def test_a_question_without_a_complaint_is_answered() -> None:
    said = reply("where is my jug? ada@example.com", ("look_up_customer", CUSTOMER), ("search_orders", []))
    assert arguments(said, "final_result")["outcome"] == "answered"


def test_without_tools_it_talks() -> None:
    said = reply("hello", tools=())
    assert said.calls == ()
    assert said.text.startswith("Hello!")


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        (["what is 2 + 3"], "2 + 3 is **5**."),
        (["2 - 3"], "2 - 3 is **-1**."),
        (["3 / 2"], "3 / 2 is **1.5**."),
        (["3 / 0"], "Nothing can be divided by **0**."),
        (["a", "what did I say"], "So far you said:\n\n1. a"),
        (["what did I say"], "You said *what did I say*, in 4 words. That is message 1 of ours."),
        ([], "You said **, in 0 words. That is message 0 of ours."),
    ],
)
def test_talk_depends_on_what_was_said(said: list[str], answered: str) -> None:
    assert talk(said) == answered


def test_content_in_pieces_is_read() -> None:
    content = [{"type": "text", "text": "2 * 4"}, {"type": "image_url", "image_url": {"url": "x"}}]
    request = ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": content}]})
    assert answer(Conversation.of(request)).text == "2 * 4 is **8**."
