"""A model made of rules: it looks at the whole conversation and says what to do next. Pure.

The first rule that has something to say gives the reply. A rule reads what was said, what the tools on offer are and
what they have answered, so another ticket, another tool's answer or another limit in the instructions lead elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .conversation import Call, Conversation, Reply
from .talk import talk

__all__ = ["answer"]

RESULT_TOOL = "final_result"
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
TICKET = re.compile(r"ticket\D{0,3}(\d+)", re.IGNORECASE)
ORDER = re.compile(r"order\D{0,3}(\d+)", re.IGNORECASE)
LIMIT = re.compile(r"up to (\d+) cents")
DAMAGE = re.compile(r"\b(broken|crack\w*|damag\w*|defect\w*|leak\w*|does not (?:work|heat))\b", re.IGNORECASE)
MONEY = re.compile(r"\b(refund|money back|reimburse)", re.IGNORECASE)
WORD = re.compile(r"[a-z]{4,}")
COMMON = set(
    WORD.findall("back does from give have money order please received refund sent that them this ticket want with")
)
"""Words that say nothing of what was ordered."""

JSON = Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True)
class Case:
    """A support ticket, as far as the conversation tells."""

    talk: Conversation

    @cached_property
    def said(self) -> str:
        return "\n".join(self.talk.said)

    @cached_property
    def email(self) -> str | None:
        found = EMAIL.search(self.said)
        return found[0] if found else None

    @cached_property
    def ticket(self) -> int:
        return _number(TICKET, self.said) or 0

    @cached_property
    def order_number(self) -> int | None:
        return _number(ORDER, self.said)

    @cached_property
    def customer(self) -> JSON | None:
        found: JSON | None = self.talk.outcome("look_up_customer")
        return found

    @cached_property
    def order(self) -> JSON | None:
        """The order that the ticket is about: the one named, else the one whose item is mentioned most."""
        named: JSON | None = self.talk.outcome("look_up_order")
        found: Sequence[JSON] = self.talk.outcome("search_orders") or ()
        return named or max(found, key=lambda order: len(self.words & set(str(order["item"]).split())), default=None)

    @cached_property
    def words(self) -> set[str]:
        """What may be part of an item's name."""
        return set(WORD.findall(EMAIL.sub(" ", self.said.lower()))) - COMMON

    @cached_property
    def complaint(self) -> str | None:
        found = DAMAGE.search(self.said)
        return found[0].lower() if found else None

    @cached_property
    def limit(self) -> int:
        """How much may be given back without asking."""
        return _number(LIMIT, self.talk.instructions) or 0

    @property
    def to_refund(self) -> int:
        """How many cents to give back."""
        wanted = self.order is not None and self.complaint is not None and MONEY.search(self.said) is not None
        price = int(self.order["cents"]) if wanted and self.order else 0
        return price if price <= self.limit else 0


Rule = Callable[[Case], Reply | None]


def answer(conversation: Conversation) -> Reply:
    """What the model says next."""
    case = Case(conversation)
    for rule in RULES:
        reply = rule(case)
        if reply is not None:
            return reply
    return Reply(talk(conversation.said))


def _identify(case: Case) -> Reply | None:
    if case.customer is not None or case.email is None or case.talk.refusal is not None:
        return None
    calls = _offered(case, Call("look_up_customer", {"email": case.email}))
    if case.order_number is not None:
        calls += _offered(case, Call("look_up_order", {"order_id": case.order_number}))
    return Reply(f"Ticket {case.ticket} comes from {case.email}. Let me see who that is.", calls) if calls else None


def _search(case: Case) -> Reply | None:
    if case.customer is None or case.order is not None or case.talk.outcome("search_orders") is not None:
        return None
    calls = _offered(case, Call("search_orders", {"customer_id": case.customer["id"], "words": sorted(case.words)}))
    return Reply(f"{case.customer['name']} is a customer since {case.customer['since']}. Which order is it?", calls)


def _act(case: Case) -> Reply | None:
    if case.order is None or case.complaint is None or case.talk.outcome("escalate") is not None:
        return None
    item, cents = case.order["item"], case.to_refund
    reason = f"{item}, order {case.order['id']}: {case.complaint}"
    calls: list[Call] = []
    if cents:
        calls += _offered(case, Call("refund_order", {"order_id": case.order["id"], "cents": cents, "reason": reason}))
    decided = f"refund {cents} cents" if cents else "leave the refund to a person"
    calls += _offered(case, Call("add_note", {"ticket_id": case.ticket, "note": f"{reason}; decided to {decided}."}))
    calls += _offered(case, Call("escalate", {"ticket_id": case.ticket, "reason": reason}))
    text = f"It is order {case.order['id']}, the {item}: {case.complaint}. I {decided}, note it and tell a person."
    return Reply(text, calls) if calls else None


def _resolve(case: Case) -> Reply | None:
    schema = case.talk.tools.get(RESULT_TOOL)
    if schema is None:
        return None
    refunded: JSON | None = case.talk.outcome("refund_order")
    handed: JSON | None = case.talk.outcome("escalate")
    outcome = "refunded" if refunded else "escalated" if handed else "answered"
    values = {
        "ticket_id": case.ticket,
        "outcome": outcome,
        "refunded_cents": refunded["cents"] if refunded else 0,
        "reply": _letter(case, refunded, handed),
    }
    fitting = {name: value for name, value in values.items() if name in schema.get("properties", {})}
    return Reply(f"That settles ticket {case.ticket}.", [Call(RESULT_TOOL, fitting)])


RULES: Sequence[Rule] = (_identify, _search, _act, _resolve)
"""What a support desk does, in this order, as far as its tools allow."""


def _letter(case: Case, refunded: JSON | None, handed: JSON | None) -> str:
    name = str(case.customer["name"]).split()[0] if case.customer else "there"
    lines = [f"Hello {name},"]
    if case.order is not None:
        lines.append(f"we looked at order {case.order['id']}, the {case.order['item']} ({case.order['status']}).")
    else:
        lines.append(f"we did not find your order: {case.talk.refusal or 'please tell us its number'}")
    if refunded:
        lines.append(f"We have refunded {int(refunded['cents']) / 100:.2f} EUR.")
    if handed:
        lines.append(f"{handed['person']} has taken your case up.")
    return " ".join(lines)


def _offered(case: Case, call: Call) -> list[Call]:
    return [call] if call.tool in case.talk.tools else []


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(found[1]) if found else None
