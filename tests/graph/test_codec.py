"""What is written of a run, and read back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import pytest
from hypothesis import given, strategies as st
from pydantic_core import from_json

from agentgraph.exceptions import DecodeError, RunNotResumable, StoreError
from agentgraph.graph import Appended, BaseNode, End, Graph, GraphRunContext, StepRecord
from agentgraph.graph.body import Fold
from agentgraph.graph.codec import Codec
from agentgraph.graph.ledger import SNAPSHOT_EVERY, Ledger
from agentgraph.stores import MemoryStore
from tests.graph.samples import START, Add, Line, Show, Tally, tally

pytestmark = pytest.mark.anyio


@dataclass
class Everything:
    number: float = 0.0
    text: str = ""
    raw: bytes = b""
    lines: list[Line] = field(default_factory=list[Line])
    log: Annotated[list[Line | int], Appended] = field(default_factory=list[Line | int])
    late: int = field(default=0, init=False)


@dataclass
class Blob:
    raw: bytes
    number: float


@dataclass
class Carry(BaseNode[Everything, None, Blob]):
    line: Line
    blob: Blob
    maybe: Line | None = None

    async def run(self, ctx: GraphRunContext[Everything, None]) -> Carry | End[Blob]:
        return End(self.blob)


def rows(codec: Codec, states: list[tuple[Any, Any]]) -> tuple[list[StepRecord], bytes]:
    """The rows of a run that led from each pair of state and node to the next."""
    ledger, ran, written = codec.ledger(), None, list[StepRecord]()
    state = b"{}"
    for seq, (value, outcome) in enumerate(states, start=-1):
        encoded = ledger.encode(seq, value, ran, outcome)
        ledger.stored()
        written.append(StepRecord(seq=seq, node="", outcome=encoded.outcome, body=encoded.body, state=encoded.changed))
        ran, state = outcome, encoded.state
    return written, state


carry = Graph(nodes=[Carry], name="carry")
lines = st.builds(Line, st.text())
blobs = st.builds(Blob, st.binary(), st.floats(allow_nan=False))
states = st.builds(
    Everything, st.floats(allow_nan=False), st.text(), st.binary(), st.lists(lines), st.lists(lines | st.integers())
)


@given(states, st.lists(st.tuples(lines, blobs, st.none() | lines), min_size=1, max_size=4), st.integers())
def test_a_run_comes_back_as_it_was(state: Everything, turns: list[tuple[Line, Blob, Line | None]], late: int) -> None:
    state.late = late
    ledger, ran, written = carry.codec.ledger(), None, list[StepRecord]()
    node = Carry(*turns[0])
    encoded = ledger.encode(-1, state, None, node)
    for seq, (line, blob, maybe) in enumerate(turns):
        ledger.stored()
        written.append(StepRecord(seq=seq - 1, node="", outcome="Carry", body=encoded.body))
        state.log += [node.line, line, seq]
        state.log[0] = line
        ran, node = node, Carry(line, blob, maybe or ran_line(node))
        encoded = ledger.encode(seq, state, ran, node)
    written.append(StepRecord(seq=len(turns) - 1, node="", outcome="Carry", body=encoded.body))
    restored = carry.codec.restore("r", written, encoded.state)
    assert (restored.state, restored.pending) == (state, node)
    assert isinstance(restored.pending, Carry)
    assert any(restored.pending.line is item for item in restored.state.log)


def ran_line(node: Carry) -> Line:
    return node.line


def test_numbers_and_bytes_of_any_kind() -> None:
    state = Everything(math.inf, raw=b"\xff\x00")
    written, small = rows(carry.codec, [(state, Carry(Line(""), Blob(b"\xfe", -math.inf)))])
    restored = carry.codec.restore("r", written, small)
    assert (restored.state, restored.pending) == (state, Carry(Line(""), Blob(b"\xfe", -math.inf)))


def test_a_value_is_written_once() -> None:
    state, line, reply = Tally(), Line("question"), Line("answer")
    ledger = tally.codec.ledger()
    opening = ledger.encode(-1, state, None, Add(line))
    state.log += [line, reply]
    step = ledger.encode(0, state, Add(line), Show(reply))
    assert opening.body.count(b"question") == 1
    assert b"question" not in step.body
    assert step.body.count(b"answer") == 1
    ledger.stored()
    after = ledger.encode(1, state, Show(reply), Show(reply))
    assert b"answer" not in after.body


def test_the_bytes_of_a_step_do_not_grow_with_the_list() -> None:
    state = Tally()
    ledger = tally.codec.ledger()
    ledger.encode(-1, state, None, Add(Line("0000")))
    sizes: set[int] = set()
    for seq in range(1000, 1500):
        state.log.append(Line(f"{seq}"))
        sizes.add(len(ledger.encode(seq, state, None, Add(Line("0000"))).body))
        ledger.stored()
    assert max(sizes) - min(sizes) <= 2  # the digits of the length


@pytest.mark.parametrize("how", ["assigned", "mutated"])
async def test_a_field_that_a_node_changed_is_stored_as_it_became(how: str) -> None:
    @dataclass
    class Touch(BaseNode[Tally, None, int]):
        line: Line

        async def run(self, ctx: GraphRunContext[Tally, None]) -> Touch | End[int]:
            if how == "assigned":
                self.line = Line("changed")
            else:
                self.line.text = "changed"
            ctx.state.log.append(self.line)
            return Touch(self.line) if len(ctx.state.log) < 2 else End(1)

    store, graph = MemoryStore(), Graph(nodes=[Touch], name="touch")
    done = await graph.run(Touch(Line("new")), state=Tally(), store=store, run_id="r")
    assert done.state.texts == ["changed", "changed"]
    assert (await graph.run(resume="r", store=store)).state == done.state


def test_small_fields_are_written_when_they_change_and_now_and_then_all() -> None:
    state, ledger = Everything(), carry.codec.ledger()
    node = Carry(Line(""), Blob(b"", 0.0))
    assert from_json(ledger.encode(-1, state, None, node).changed).keys() == {"number", "text", "raw", "lines", "late"}
    assert ledger.encode(1, state, None, node).changed == b""
    state.text = "x"
    encoded = ledger.encode(2, state, None, node)
    assert encoded.changed == b'{"text":"x"}'
    assert ledger.encode(SNAPSHOT_EVERY, state, None, node).changed == encoded.state


def test_a_value_that_cannot_be_stored_names_its_field() -> None:
    ledger: Ledger = tally.codec.ledger()
    wrong: Any = object()
    with pytest.raises(StoreError, match=r"Add\.line cannot be stored: object: "):
        ledger.encode(-1, Tally(), None, Add(wrong))
    with pytest.raises(StoreError, match="an item of log cannot be stored: object"):
        ledger.encode(-1, Tally(log=[wrong]), None, Add(START))
    with pytest.raises(StoreError, match=r"Tally\.count cannot be stored: object"):
        ledger.encode(-1, Tally(count=wrong), None, Add(START))


async def test_a_result_that_cannot_be_stored_is_still_the_result() -> None:
    @dataclass
    class Odd(BaseNode[None, None, set[object]]):
        async def run(self, ctx: GraphRunContext[None, None]) -> End[set[object]]:
            return End({1, object})

    store, graph = MemoryStore(), Graph(nodes=[Odd], name="odd")
    assert (await graph.run(Odd(), store=store, run_id="r")).output == {1, object}
    with pytest.raises(RunNotResumable, match="its result was not stored: the result cannot be stored: set"):
        await graph.run(resume="r", store=store)


class TestOtherCode:
    """A run read by code that has changed since."""

    def restored(self, graph: Graph[Any, Any, Any], body: bytes, state: bytes = b"{}") -> Any:
        return graph.codec.restore("r", [StepRecord(seq=-1, node="", outcome="", body=body)], state)

    def test_another_format_is_refused(self) -> None:
        with pytest.raises(DecodeError, match=r"step -1: the body .* in format 2, this release reads format 1"):
            self.restored(tally, b'{"v":2}')

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b'{"v":1}',
            b'{"v":1,"to":"Add","fields":{"line":7},"lists":{}}',
            b'{"v":1,"to":"Add","fields":{"line":["in","x"]},"lists":{}}',
            b'{"v":1,"to":"Add","fields":{},"lists":{"log":[0,{"4":1},[]]}}\n1',
        ],
    )
    def test_a_broken_body_is_refused(self, body: bytes) -> None:
        with pytest.raises(DecodeError, match="run 'r', step -1: the body cannot be decoded"):
            self.restored(tally, body)

    def test_an_unknown_slot_is_refused(self) -> None:
        with pytest.raises(DecodeError, match=r"the slot \['blob', 'x'\], which this release does not know"):
            self.restored(tally, b'{"v":1,"to":"Add","fields":{"line":["blob","x"]},"lists":{}}')

    @pytest.mark.parametrize("state", [b"{", b"[]"])
    def test_a_broken_state_is_refused(self, state: bytes) -> None:
        with pytest.raises(DecodeError, match="step -1: the state cannot be decoded"):
            self.restored(tally, b'{"v":1,"to":"Add","fields":{"line":1},"lists":{}}\n{"text":"x"}', state)

    def test_a_result_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(DecodeError, match="the result cannot be decoded"):
            self.restored(tally, b'{"v":1,"to":"End","fields":{},"lists":{}}')

    def test_a_changed_field_names_run_step_and_field(self) -> None:
        body = b'{"v":1,"to":"Add","fields":{"line":1},"lists":{"log":[0,{},[2]]}}\n{"text":1}\n{"text":"x"}'
        with pytest.raises(DecodeError, match=r"run 'r', step -1: Add\.line .*: text: Input should be a valid string"):
            self.restored(tally, body)
        with pytest.raises(DecodeError, match=r"step -1: Tally\.count cannot be decoded: value: ") as caught:
            self.restored(tally, body.replace(b'"text":1', b'"text":"1"'), b'{"count":"many"}')
        assert (caught.value.run_id, caught.value.step, caught.value.field) == ("r", -1, "Tally.count")
        with pytest.raises(DecodeError, match=r"Tally\.log cannot be decoded: 0\.text"):
            self.restored(tally, body.replace(b'"text":1', b'"text":"1"').replace(b'"x"', b"2"))

    def test_a_node_that_is_gone(self) -> None:
        with pytest.raises(RunNotResumable, match="goes on at Gone, which is not in the graph; there are Add, Show"):
            self.restored(tally, b'{"v":1,"to":"Gone","fields":{},"lists":{}}')

    def test_a_field_without_default_that_was_added(self) -> None:
        with pytest.raises(RunNotResumable, match=r"Add cannot be made of the stored nothing: .*'line'"):
            self.restored(tally, b'{"v":1,"to":"Add","fields":{},"lists":{}}')

    def test_fields_that_are_gone_or_added_with_a_default(self) -> None:
        body = b'{"v":1,"to":"Add","fields":{"line":1,"gone":2},"lists":{"old":[0,{},[2]]}}\n{"text":"x"}\n7'
        found = self.restored(tally, body, b'{"gone":5}')
        assert (found.state, found.pending) == (Tally(), Add(Line("x")))

    def test_a_node_field_that_was_an_item_of_a_list_which_is_gone(self) -> None:
        body = b'{"v":1,"to":"Add","fields":{"line":["item","old",0]},"lists":{"old":[0,{},[1]]}}\n{"text":"x"}'
        assert self.restored(tally, body).pending == Add(Line("x"))


@dataclass
class ByItems:
    log: Annotated[list[int], Appended] = field(default_factory=list[int])


@dataclass
class Whole:
    log: list[int] = field(default_factory=list[int])


@dataclass
class Grow(BaseNode[Any, None, int]):
    async def run(self, ctx: GraphRunContext[ByItems | Whole, None]) -> Grow | End[int]:
        ctx.state.log.append(len(ctx.state.log))
        return Grow() if len(ctx.state.log) < 4 else End(1)


async def test_a_list_may_become_one_that_is_stored_by_items_and_back(memory: MemoryStore) -> None:
    of: list[type[Any]] = [Whole, ByItems, Whole, ByItems]
    for turn, state in enumerate(of):
        graph = Graph[Any, None, int](nodes=[Grow], name="grow", state_type=state)
        begun = (
            graph.iter(resume="r", store=memory)
            if turn
            else graph.iter(Grow(), state=Whole(), store=memory, run_id="r")
        )
        async with begun as run:
            assert run.state == state(list(range(turn)))
            await run.next()
    for state in (Whole, ByItems):
        graph = Graph[Any, None, int](nodes=[Grow], name="grow", state_type=state)
        assert (await graph.run(resume="r", store=memory)).state == state([0, 1, 2, 3])


def test_a_fold_needs_only_what_is_newest() -> None:
    fold = Fold()
    fold.add(b'{"v":1,"to":"A","fields":{"x":1},"lists":{"log":[0,{},[1,1]]}}\n"a"')
    fold.add(
        b'{"v":1,"to":"B","fields":{"y":["in","x"]},"lists":{"log":[1,{"0":["in","x"]},[1,["item","log",1]]]}}\n"b"'
    )
    assert (fold.to, fold.fields, fold.lists) == ("B", {"y": b'"a"'}, {"log": [b'"a"', b'"b"', b'"b"']})
    assert replace(fold).items == {}
