"""What an import costs, what it gives, and that no two modules need each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import grimp
import networkx
import pytest

import agentgraph
from tests.shared_data import REPOSITORY

HEAVY = (
    "agentgraph.models.openai",
    "agentgraph.providers",
    "botocore",
    "docstring_parser",
    "genai_prices",
    "httpx",
    "networkx",
    "opentelemetry",
    "psycopg",
    "sqlite3",
    "tenacity",
)

HOMES = {
    "botocore": ("models.bedrock_frames", "providers.aws_credentials"),
    "dbos": ("distributed",),
    "docstring_parser": ("tools", "calling"),
    "genai_prices": ("models.prices",),
    "google": ("providers.google_credentials",),
    "httpx": ("models.http", "models.downloads", "providers"),
    "networkx": ("graph",),
    "opentelemetry": ("observe",),
    "prompt_toolkit": ("cli",),
    "psycopg": ("stores", "distributed"),
    "pytest": ("testing.pytest_plugin", "stores.conformance"),
    "rich": ("cli",),
    "sqlalchemy": ("distributed",),
    "sqlite3": ("stores", "cli"),  # the command line's demonstration has a database of its own
    "tenacity": ("models.http", "graph", "stores"),
    "typer": ("cli",),
}
"""Which part alone imports a library: the heavy stays where it is needed, and one part is to change if it goes."""


def loaded_by(statement: str) -> list[str]:
    """The modules that a fresh interpreter holds after `statement`; coverage would add its own."""
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, env=unmeasured, check=False
    )
    assert done.returncode == 0, done.stderr
    names: list[str] = json.loads(done.stdout)
    return names


def module_names() -> Iterator[str]:
    for path in sorted((REPOSITORY / "agentgraph").rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        if parts[-1] != "__main__":  # importing it would run it
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("statement", ["import agentgraph", "from agentgraph import Agent"])
def test_heavy_modules_load_on_first_use(statement: str) -> None:
    names = loaded_by(statement)
    assert not [name for name in names if name in HEAVY or name.startswith(tuple(f"{heavy}." for heavy in HEAVY))]


def test_the_package_alone_loads_none_of_its_modules() -> None:
    assert [name for name in loaded_by("import agentgraph") if name.startswith("agentgraph.")] == []


@pytest.mark.parametrize("name", list(module_names()))
def test_every_exported_name_exists(name: str) -> None:
    module = import_module(name)
    exported: list[str] = getattr(module, "__all__", [])
    assert [missing for missing in exported if getattr(module, missing, None) is None] == []
    assert len(exported) == len(set(exported))


def test_the_package_lists_its_names() -> None:
    assert set(agentgraph.__all__) <= set(dir(agentgraph))


def test_every_exception_is_a_public_name() -> None:
    assert set(import_module("agentgraph.exceptions").__all__) <= set(agentgraph.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Agnet'"):
        getattr(agentgraph, "Agnet")  # noqa: B009 - as an attribute, both type checkers would refuse it


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("agentgraph", include_external_packages=True, cache_dir=None)


@pytest.mark.parametrize("library", HOMES)
def test_a_library_stays_in_its_part(imports: grimp.ImportGraph, library: str) -> None:
    importers = imports.find_modules_that_directly_import(library) if library in imports.modules else set[str]()
    homes = tuple(f"agentgraph.{home}." for home in HOMES[library])
    assert [importer for importer in sorted(importers) if not f"{importer}.".startswith(homes)] == []


def test_no_modules_import_each_other(imports: grimp.ImportGraph) -> None:
    """Late imports and those for type checkers count, and so does a package's own module."""
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    for importer in imports.modules:
        graph.add_edges_from((importer, imported) for imported in imports.find_modules_directly_imported_by(importer))
    cycles = [sorted(cycle) for cycle in networkx.strongly_connected_components(graph) if len(cycle) > 1]
    assert not cycles, "\n".join(" <-> ".join(cycle) for cycle in cycles)
