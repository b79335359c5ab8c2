"""Tells the reference what the dataclasses of `agentgraph.values` are, so that it lists their parameters."""  # noqa: INP001

from __future__ import annotations

from typing import Any

from griffe import Alias, Extension, Module

__all__ = ["Values"]


class Values(Extension):
    """Reads `from agentgraph.values import dataclass` as type checkers do."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Before the extension that looks for dataclasses."""
        for module in _modules(pkg):
            imported = module.members.get("dataclass")
            if isinstance(imported, Alias) and imported.target_path == "agentgraph.values.dataclass":
                imported.target_path = "dataclasses.dataclass"


def _modules(module: Module) -> list[Module]:
    return [module, *(found for below in module.modules.values() if not below.is_alias for found in _modules(below))]
