from __future__ import annotations

from inspect import cleandoc

import pytest

from agentgraph.tools.docstrings import DocstringFormat, read_docstring

GOOGLE = cleandoc("""
    Find customers.

    Looks at names only.

    Args:
        name (str): A part of the name,
            in any case.
        *others: More parts.
        **fields: What else must match.

    Returns:
        list[str]: The customers.
    """)

NUMPY = cleandoc("""
    Find customers.

    Looks at names only.

    Parameters
    ----------
    name : str
        A part of the name,
        in any case.
    *others
        More parts.
    **fields
        What else must match.

    Returns
    -------
    list[str]
        The customers.
    """)

SPHINX = cleandoc(r"""
    Find customers.

    Looks at names only.

    :param str name: A part of the name,
        in any case.
    :param \*others: More parts.
    :param fields: What else must match.
    :returns: The customers.
    """)

NAMES = ["name", "others", "fields"]
STYLES: list[tuple[str, DocstringFormat]] = [(GOOGLE, "google"), (NUMPY, "numpy"), (SPHINX, "sphinx")]


@pytest.mark.parametrize(("doc", "style"), STYLES)
@pytest.mark.parametrize("told", [True, False])
def test_each_style_is_read_and_found_out(doc: str, style: DocstringFormat, *, told: bool) -> None:
    read = read_docstring(doc, NAMES, style if told else "auto")
    assert read.summary == "Find customers.\n\nLooks at names only."
    assert read.parameters == {
        "name": "A part of the name,\nin any case.",
        "others": "More parts.",
        "fields": "What else must match.",
    }


def test_numpy_describes_several_parameters_at_once() -> None:
    doc = "Add.\n\nParameters\n----------\nx, y : int\n    A summand."
    assert read_docstring(doc, ["x", "y"]).parameters == {"x": "A summand.", "y": "A summand."}


def test_a_wrong_style_finds_no_parameters() -> None:
    assert read_docstring(GOOGLE, NAMES, "sphinx").parameters == {}


def test_sections_are_left_out_where_there_are_no_parameters() -> None:
    assert read_docstring("Count.\n\nReturns:\n    The number.", []).summary == "Count."


def test_a_line_is_a_summary() -> None:
    assert read_docstring("Count.", []).summary == "Count."
    assert read_docstring(":param x: What to count.", ["x"]).parameters == {"x": "What to count."}


def test_no_docstring_says_nothing() -> None:
    assert read_docstring(None, []) == read_docstring("", ["x"])


def test_a_docstring_that_cannot_be_parsed_is_a_summary() -> None:
    broken = ":param x y z w: too many words\nmore"
    assert read_docstring(broken, ["x"], "sphinx").summary == broken
    assert read_docstring(broken, ["x"]).summary
