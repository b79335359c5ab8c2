"""Graphs: checked as a whole, all problems at once; what they infer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import pytest
from pydantic import BaseModel, Field, PlainSerializer

from agentgraph.exceptions import GraphRuntimeError, GraphSetupError, RunNotResumable, UserError
from agentgraph.graph import Appended, BaseNode, End, Graph, GraphRunContext
from agentgraph.stores import MemoryStore
from tests.graph.samples import START, Add, Tally, tally, unplaced

T = TypeVar("T")
Ctx = GraphRunContext[None, None]
pytestmark = pytest.mark.anyio


@dataclass
class Finish(BaseNode[None, None, int]):
    async def run(self, ctx: Ctx) -> End[int]:
        return End(1)


@dataclass
class Spin(BaseNode[None, None, int]):
    async def run(self, ctx: Ctx) -> Spin:
        return self


@dataclass
class Leave(BaseNode[None, None, int]):
    async def run(self, ctx: Ctx) -> Finish | Spin:
        return Finish()


@dataclass
class Begin(BaseNode[None, None, int]):
    async def run(self, ctx: Ctx) -> Finish:
        return Finish()


class TestProblems:
    def test_all_are_named_at_once(self) -> None:
        @dataclass
        class Last(BaseNode[None, None, int]):
            async def run(self, ctx: Ctx) -> Leave:
                return Leave()

            @classmethod
            def get_node_id(cls) -> str:
                return "End"

        class Handmade(BaseNode[None, None, int]):
            def __init__(self, x: int) -> None:
                self.x = x

            async def run(self, ctx: Ctx) -> Missing | int:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
                return Missing()

        @dataclass
        class Missing(BaseNode[None, None, int]):
            async def run(self, ctx: Ctx) -> Finish:
                return Finish()

        with pytest.raises(GraphSetupError) as caught:
            Graph[None, None, int](nodes=[Last, Handmade, Finish, Finish, Spin], name="odd")
        assert caught.value.message == "graph 'odd' cannot work; 7 problem(s):"
        assert unplaced(caught.value.problems) == [
            "Finish names 2 nodes",
            "Handmade.run may return int, which is neither a node nor an End",
            "End may return Leave, which is not in the graph",
            "Handmade may return Missing, which is not in the graph",
            "End is a name of the engine's own; call the node otherwise",
            "Handmade is not a dataclass, so its fields cannot be known",
            "Spin can never reach an End: Spin -> Spin is a cycle without a way out",
        ]
        assert str(caught.value).count("\n  - ") == 7

    def test_a_node_that_cannot_reach_an_end(self) -> None:
        with pytest.raises(GraphSetupError, match=r"the graph cannot work.*\n.*Spin can never reach an End"):
            Graph(nodes=[Leave, Finish, Spin])

    def test_a_cycle_without_a_way_out_and_what_leads_only_there(self) -> None:
        @dataclass
        class There(BaseNode[None, None, int]):
            async def run(self, ctx: Ctx) -> Back | There:
                return Back()

        @dataclass
        class Back(BaseNode[None, None, int]):
            async def run(self, ctx: Ctx) -> There:
                return There()

        @dataclass
        class Astray(BaseNode[None, None, int]):
            async def run(self, ctx: Ctx) -> Astray | Back:
                return Back()

        with pytest.raises(GraphSetupError) as caught:
            Graph(nodes=[Finish, There, Back, Astray])
        assert unplaced(caught.value.problems) == [
            "There can never reach an End: There -> There is a cycle without a way out",
            "Back can never reach an End: Back -> There -> Back is a cycle without a way out",
            "Astray can never reach an End",
        ]

    def test_a_graph_without_any_end_is_legal(self) -> None:
        assert list(Graph(nodes=[Spin]).to_networkx().edges) == [("Spin", "Spin")]

    def test_problems_are_not_looked_for_where_nobody_asks(self) -> None:
        assert list(Graph(nodes=[Leave, Finish, Spin], check=False).definitions) == ["Leave", "Finish", "Spin"]

    async def test_what_is_unreachable_from_the_start_is_a_warning_once(self) -> None:
        graph = Graph(nodes=[Finish, Begin], name="g")
        with pytest.warns(UserWarning, match="no way leads from Finish to Begin"):
            await graph.run(Finish())
        assert (await graph.run(Finish())).output == 1

    async def test_no_warning_where_nobody_asked_for_checks(self) -> None:
        assert (await Graph(nodes=[Finish, Leave, Spin], check=False).run(Finish())).output == 1

    async def test_a_start_node_of_another_graph(self) -> None:
        with pytest.raises(GraphRuntimeError, match="Leave is not a node of graph 'g'; it has Finish"):
            await Graph(nodes=[Finish], name="g").run(Leave())


class Opaque:
    pass


class TestStorability:
    async def test_is_checked_only_where_a_store_is_given(self) -> None:
        @dataclass
        class State:
            bad: Opaque
            good: int = 1
            items: Annotated[tuple[int, ...], Appended] = ()

        @dataclass
        class Box(BaseNode[State, None, int]):
            what: Opaque
            how: list[Opaque]

            async def run(self, ctx: GraphRunContext[State, None]) -> End[int]:
                return End(ctx.state.good)

        graph = Graph(nodes=[Box], name="g")
        assert (await graph.run(Box(Opaque(), []), state=State(Opaque()))).output == 1
        with pytest.raises(GraphSetupError) as caught:
            await graph.run(Box(Opaque(), []), state=State(Opaque()), store=MemoryStore())
        fields = [problem.split(" cannot be stored: ")[0] for problem in caught.value.problems]
        assert fields == ["State.bad", "State.items", "Box.what", "Box.how"]
        assert all("test_graph.py:" in problem for problem in caught.value.problems)
        assert "runs of graph 'g' cannot be stored; 4 problem(s):" in str(caught.value)

    def test_fields_that_could_be_written_and_not_be_read_back(self) -> None:
        @dataclass
        class State:
            then: Callable[[], int]
            kinds: list[type[int]]
            board: dict[tuple[int, int], str]
            seen: Annotated[list[Callable[[], int]], Appended]
            names: dict[str, set[int]]
            maybe: Callable[[], int] | None = None
            code: Annotated[Callable[[], int] | int, PlainSerializer(repr)] = 1

        @dataclass
        class Use(BaseNode[State, None, int]):
            async def run(self, ctx: GraphRunContext[State, None]) -> End[int]:
                return End(1)

        with pytest.raises(GraphSetupError) as caught:
            _ = Graph(nodes=[Use]).codec
        assert unplaced(caught.value.problems) == [
            "State.then cannot be stored: JSON holds no functions",
            "State.kinds cannot be stored: JSON holds no classes",
            "State.board cannot be stored: the keys of JSON objects are no tuples",
            "State.seen cannot be stored: JSON holds no functions",
        ]

    def test_a_state_that_has_no_known_fields(self) -> None:
        @dataclass
        class Use(BaseNode[Opaque, None, int]):
            async def run(self, ctx: GraphRunContext[Opaque, None]) -> End[int]:
                return End(1)

        with pytest.raises(GraphSetupError, match="Opaque is neither a dataclass nor a pydantic model"):
            _ = Graph(nodes=[Use]).codec

    def test_a_field_whose_type_is_unknown(self) -> None:
        @dataclass
        class Use(BaseNode[None, None, int]):
            what: Nowhere  # type: ignore[name-defined] # pyright: ignore[reportUndefinedVariable] # noqa: F821 - what is tested

            async def run(self, ctx: Ctx) -> End[int]:
                return End(1)

        with pytest.raises(GraphSetupError, match="Use has a field annotated with 'Nowhere', unknown here"):
            _ = Graph(nodes=[Use]).codec

    async def test_a_state_of_another_type(self) -> None:
        with pytest.raises(
            UserError, match="the nodes of graph 'tally' use a state of type Tally, and `state` is None"
        ):
            await tally.run(Add(START), store=MemoryStore())
        with pytest.raises(UserError, match="use no state, and `state` is Tally"):
            await Graph[Any, None, int](nodes=[Finish], name="g", state_type=type(None)).run(
                Finish(), state=Tally(), store=MemoryStore()
            )

    async def test_working_memory_of_a_node_is_not_stored(self) -> None:
        @dataclass
        class Work(BaseNode[None, None, int]):
            seen: Opaque = field(default_factory=Opaque, init=False)

            async def run(self, ctx: Ctx) -> End[int]:
                return End(1)

        assert (await Graph(nodes=[Work], name="g").run(Work(), store=MemoryStore())).output == 1


class TestInference:
    def test_the_name_is_that_of_the_variable(self) -> None:
        my_graph = Graph(nodes=[Finish])
        my_graph.run_sync(Finish())
        assert my_graph.name == "my_graph"

    async def test_run_and_iter_infer_it_too(self) -> None:
        by_run = Graph(nodes=[Finish])
        await by_run.run(Finish())
        by_iter = Graph(nodes=[Finish])
        async with by_iter.iter(Finish()):
            pass
        assert (by_run.name, by_iter.name) == ("by_run", "by_iter")

    async def test_not_where_nobody_wants_it_or_nothing_holds_it(self) -> None:
        graph = Graph(nodes=[Finish])
        await graph.run(Finish(), infer_name=False)
        assert graph.name is None
        make: Callable[[], Graph[None, None, int]] = lambda: Graph(nodes=[Finish])  # noqa: E731 - nothing holds it
        await make().run(Finish())

    def test_the_state_type_comes_from_the_nodes_or_the_argument(self) -> None:
        assert tally.state_type is Tally
        assert Graph(nodes=[Finish]).state_type is type(None)
        assert Graph(nodes=[Finish], state_type=type(None)).state_type is type(None)

    def test_the_type_of_the_result_comes_from_the_nodes_or_the_argument(self) -> None:
        @dataclass
        class Bare(BaseNode):
            async def run(self, ctx: Ctx) -> End[Any]:
                return End(None)

        assert tally.run_end_type is str
        assert Graph(nodes=[Bare, Finish], check=False).run_end_type is int
        assert Graph(nodes=[Bare]).run_end_type is Any
        assert Graph(nodes=[Bare], run_end_type=list[str]).run_end_type == list[str]


@dataclass
class Of(Generic[T]):
    one: T
    many: Annotated[list[T], Appended] = field(default_factory=list[T])
    plain: Annotated[int, "a remark"] = 0


class Aliased(BaseModel):
    model_config = {"validate_assignment": True}
    label: str = Field(alias="theLabel")
    items: Annotated[list[int], Appended] = []
    count: ClassVar[int] = 0
    left: int = 3


@dataclass
class Take(BaseNode[Of[Tally], None, int]):
    async def run(self, ctx: GraphRunContext[Of[Tally], None]) -> End[int]:
        ctx.state.many.append(ctx.state.one)
        return End(1)


@dataclass
class Push(BaseNode[Aliased, None, str]):
    async def run(self, ctx: GraphRunContext[Aliased, None]) -> Push | End[str]:
        ctx.state.items.append(ctx.state.left)
        ctx.state.left -= 1
        return Push() if ctx.state.left else End(ctx.state.label)


class TestStates:
    async def test_a_generic_state_comes_back_with_its_types(self) -> None:
        store, graph = MemoryStore(), Graph(nodes=[Take], name="of")
        await graph.run(Take(), state=Of(Tally(4)), store=store, run_id="r")
        resumed = await graph.run(resume="r", store=store)
        assert resumed.state == Of(Tally(4), [Tally(4)])

    async def test_a_pydantic_state_with_aliases(self) -> None:
        store, graph = MemoryStore(), Graph(nodes=[Push], name="push")
        state = Aliased(theLabel="x")
        async with graph.iter(Push(), state=state, store=store, run_id="r") as run:
            await run.next()
        resumed = await graph.run(resume="r", store=store)
        assert resumed.state == Aliased(theLabel="x", items=[3, 2, 1], left=0)
        assert resumed.output == "x"
        assert state.items == [3]

    async def test_a_pydantic_state_that_has_gained_a_field_without_default(self, memory: MemoryStore) -> None:
        class Gained(BaseModel):
            label: str
            gained: int

        async with Graph(nodes=[Push], name="push").iter(Push(), state=Aliased(theLabel="x"), store=memory, run_id="r"):
            pass
        with pytest.raises(RunNotResumable, match="Gained cannot be made of the stored label: gained is missing"):
            await Graph[Any, None, str](nodes=[Push], name="push", state_type=Gained).run(resume="r", store=memory)

    async def test_an_annotation_that_cannot_be_hashed(self, memory: MemoryStore) -> None:
        @dataclass
        class Odd(BaseNode[None, None, int]):
            number: Annotated[int, ["a remark"]]

            async def run(self, ctx: Ctx) -> End[int]:
                return End(self.number)

        assert (await Graph(nodes=[Odd], name="odd").run(Odd(3), store=memory)).output == 3


@dataclass
class Typed(BaseNode[None, None, int]):
    async def run(self, ctx: Ctx) -> OnlyForTypeCheckers:  # type: ignore[name-defined] # pyright: ignore[reportUndefinedVariable] # noqa: F821
        return Finish()


def test_a_name_that_the_module_does_not_know_may_be_known_where_the_graph_is_made() -> None:
    OnlyForTypeCheckers = Finish  # noqa: N806, F841 - what is tested # pyright: ignore[reportUnusedVariable]
    assert list(Graph(nodes=[Typed, Finish]).definitions["Typed"].edges) == ["Finish"]
