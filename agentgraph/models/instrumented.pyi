# For type checkers alone: what agentgraph.models.instrumented loads by name.
from agentgraph.observe import InstrumentationSettings, InstrumentedModel

__all__ = ["InstrumentationSettings", "InstrumentedModel"]
