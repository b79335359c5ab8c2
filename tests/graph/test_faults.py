"""What is wrong with a graph is told with its place in the source, as far as there is one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from agentgraph.exceptions import GraphSetupError
from agentgraph.graph import BaseNode, Graph, GraphRunContext
from agentgraph.graph.faults import Fault, place_of

FLOWS = """
from dataclasses import dataclass

from agentgraph.graph import BaseNode, End, Graph, GraphRunContext


@dataclass
class Ping(BaseNode):

    async def run(self, ctx: GraphRunContext) -> "Ping":
        return self


@dataclass
class Finish(BaseNode[None, None, int]):
    async def run(self, ctx: GraphRunContext) -> End[int]:
        return End(1)
"""


@pytest.fixture
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A user's module, in the working directory."""
    (tmp_path / "flows.py").write_text(FLOWS)
    monkeypatch.chdir(tmp_path)
    spec = spec_from_file_location("flows_of_a_test", "flows.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_a_problem_ends_with_its_place(flows: ModuleType) -> None:
    with pytest.raises(GraphSetupError) as caught:
        Graph(nodes=[flows.Ping, flows.Finish, flows.Finish])
    assert caught.value.problems == (
        "Finish names 2 nodes (flows.py:14)",
        "Ping can never reach an End: Ping -> Ping is a cycle without a way out (flows.py:10)",
    )


def test_a_class_whose_text_is_gone_is_found_by_its_methods(flows: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "flows.py").unlink()
    assert str(Fault("Ping is odd", flows.Ping)) == "Ping is odd (flows.py:10)"


def test_what_lies_elsewhere_has_its_whole_path(flows: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path("flows.py").absolute()
    monkeypatch.chdir(Path(__file__).parent)
    assert place_of(flows.Ping) in (f"{source}:7", "flows.py:7")


@pytest.mark.parametrize("flow", ["class Bare: pass", "class Bare:\n  def run(self): pass", "def Bare(): pass"])
def test_what_was_typed_in_has_no_place(flow: str) -> None:
    names: dict[str, type[object]] = {}
    exec(flow, {"__name__": "nowhere"}, names)  # noqa: S102 - what is tested
    assert str(Fault("Bare is odd", names["Bare"])) == "Bare is odd"


def test_what_has_no_code_has_no_place() -> None:
    assert place_of(int) is None
    assert place_of(len) is None
    assert str(Fault("the upgrade leads nowhere")) == "the upgrade leads nowhere"


@pytest.mark.anyio
async def test_a_node_that_nothing_leads_to_is_named_with_its_place() -> None:
    @dataclass
    class Alone(BaseNode):
        async def run(self, ctx: GraphRunContext) -> Alone:
            return self

    @dataclass
    class Start(BaseNode):
        async def run(self, ctx: GraphRunContext) -> Start:
            raise NotImplementedError

    with pytest.warns(UserWarning, match=r"no way leads from Start to Alone \(.*test_faults.py:\d+\)"):
        async with Graph(nodes=[Start, Alone]).iter(Start()):
            pass
