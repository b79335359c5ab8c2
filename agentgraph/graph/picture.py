"""A picture in two languages: Mermaid text, for what renders it, and SVG, which needs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentgraph.exceptions import UserError

if TYPE_CHECKING:
    from agentgraph.drawing import Chart

__all__ = ["Picture"]


@dataclass(frozen=True)
class Picture:
    """A graph or a run, drawn. In a notebook it shows itself."""

    mermaid: str
    """The text of a Mermaid diagram."""
    chart: Chart
    """What the SVG is made of."""

    def svg(self) -> str:
        """The text of an SVG file, drawn in this process: light or dark as the reader's system is."""
        from agentgraph.drawing import svg

        return svg(self.chart)

    def save(self, path: Path | str) -> None:
        """Write the picture to a file: as SVG if its name ends in `.svg`, as Mermaid text in `.mmd` or `.mermaid`.

        Raises:
            UserError: it ends in something else.
            OSError: it cannot be written.
        """
        file = Path(path)
        match file.suffix:
            case ".svg":
                text = self.svg()
            case ".mmd" | ".mermaid":
                text = self.mermaid + "\n"
            case _:
                raise UserError(f"{file} ends neither in .svg nor in .mmd: say by its name what is to be written")
        file.write_text(text, encoding="utf-8")

    def mime_bundle(self) -> dict[str, str]:
        """What notebooks ask for: the picture by MIME type."""
        return {"image/svg+xml": self.svg(), "text/vnd.mermaid": self.mermaid}

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.mime_bundle()
