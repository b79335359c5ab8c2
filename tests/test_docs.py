"""The manual holds together: its pages, its links, what the reference lists. Its examples run in test_repository.py."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agentgraph import exceptions
from agentgraph.agent import AgentOptions, Overrides, RunOptions
from agentgraph.agent.functions import AgentToolOptions
from agentgraph.distributed import ServeOptions, SubmitOptions
from agentgraph.graph import DiagramOptions, GraphRunOptions
from agentgraph.models.names import protocols
from agentgraph.providers.registry import PROVIDERS
from agentgraph.providers.services import SERVICES
from agentgraph.settings import DownloadSettings, ModelSettings
from agentgraph.testing import ReplayOptions
from agentgraph.tools import ToolOptions
from tests.shared_data import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"\[[^\]]*\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
OPTIONS = [
    RunOptions,
    AgentOptions,
    AgentToolOptions,
    Overrides,
    ToolOptions,
    GraphRunOptions,
    DiagramOptions,
    ModelSettings,
    DownloadSettings,
    ReplayOptions,
    SubmitOptions,
    ServeOptions,
]
DOCUMENTED = [
    "",
    ".agent",
    ".distributed",
    ".exceptions",
    ".graph",
    ".messages",
    ".models",
    ".providers",
    ".settings",
    ".stores",
    ".stores.conformance",
    ".testing",
]
"""The modules whose every public name is in the reference."""


def text_of(page: Path) -> str:
    """A page without its code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def identifiers(page: Path) -> list[str]:
    """What a page of the reference describes."""
    return re.findall(r"^::: (\S+)$", text_of(page), flags=re.MULTILINE)


def named(identifier: str) -> object:
    """The object behind an identifier such as `agentgraph.models.test.TestModel`."""
    module, _, name = identifier.rpartition(".")
    found: object = getattr(import_module(module), name)
    return found


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text_of(page), flags=re.MULTILINE)
    slugs = {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}
    return slugs | {anchor for each in identifiers(page) for anchor in (each, *members(each))}


def members(identifier: str) -> list[str]:
    fields: dict[str, Any] = getattr(named(identifier), "__annotations__", {})  # Any: of any type
    return [f"{identifier}.{name}" for name in fields]


def described(options: type) -> list[str]:
    """The fields of a TypedDict that have a docstring below them."""
    source = inspect.getsource(options)
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    body = definition.body
    return [
        field.target.id
        for field, below in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    ]


def test_every_page_is_in_the_navigation_once() -> None:
    settings = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^ +- .+: (\S+\.md)$", settings, flags=re.MULTILINE)
    assert sorted(listed) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(text_of(page)):
        there = (page.parent / target).resolve() if target else page
        assert there.is_file(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(there), f"{page.name} links to {target}#{anchor}"


@pytest.mark.parametrize("module", DOCUMENTED)
def test_the_reference_has_every_public_name(module: str) -> None:
    package = import_module(f"agentgraph{module}")
    known = {each.rpartition(".")[2]: named(each) for page in PAGES for each in identifiers(page)}
    names = [name for name in package.__all__ if name != "__version__"]
    assert [name for name in names if known.get(name) is not getattr(package, name)] == []


def test_the_reference_describes_everything_once() -> None:
    counts = Counter(each.rpartition(".")[2] for page in PAGES for each in identifiers(page))
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options.__name__)
def test_every_option_is_described_below_its_field(options: type) -> None:
    own = inspect.get_annotations(options)
    assert described(options) == list(own)


def test_the_page_of_models_lists_every_service_and_its_variables() -> None:
    page = (DOCS / "models.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)`(, if there is one)? \| (?:`(\w+)` )?\|$", page, flags=re.MULTILINE)
    assert {name: (key, not optional, address or None) for name, key, optional, address in rows} == {
        name: (service.key, service.key_required, service.base_url_variable) for name, service in SERVICES.items()
    }


def test_every_protocol_and_provider_has_its_place() -> None:
    known = {each for page in PAGES for each in identifiers(page)}
    page = (DOCS / "models.md").read_text(encoding="utf-8")
    models = {f"models.{entry.replace(':', '.')}" for entry in protocols().values()}
    providers = {f"providers.{entry.replace(':', '.')}" for entry in PROVIDERS.values()}
    assert {f"agentgraph.{name}" for name in models | providers} <= known
    assert [name for name in models if f"[`{name}`]" not in page] == []


def test_the_page_of_errors_draws_the_whole_tree() -> None:
    page = (DOCS / "errors.md").read_text(encoding="utf-8")
    tree = page.partition("```text\n")[2].partition("```")[0]
    assert [name for name in exceptions.__all__ if not re.search(rf"\b{name}\b", tree)] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual as it is built, any warning being an error."""
    if find_spec("mkdocs") is None or find_spec("material") is None or find_spec("mkdocstrings") is None:
        pytest.skip("the extra `docs` is not installed; `make docs` installs it")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stdout + built.stderr) == (0, "")
    return folder


def test_the_manual_loads_nothing_from_the_network(site: Path) -> None:
    loads = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//""")
    assert [page.name for page in site.rglob("*.html") if loads.search(page.read_text(encoding="utf-8"))] == []


def test_the_manual_shows_each_option_of_a_run_once(site: Path) -> None:
    pages = [page.read_text(encoding="utf-8") for page in site.rglob("*.html")]
    for name in RunOptions.__annotations__:
        assert sum(page.count(f'id="agentgraph.agent.RunOptions.{name}"') for page in pages) == 1


def test_the_doors_link_to_the_options_of_a_run(site: Path) -> None:
    page = (site / "reference" / "agent" / "index.html").read_text(encoding="utf-8")
    for door in ("run", "run_sync", "run_stream", "iter"):
        after = page.partition(f'id="agentgraph.Agent.{door}"')[2].partition("<h4")[0]
        assert 'href="../options/#agentgraph.agent.RunOptions"' in after
