"""The layer of each shape: links lead from one to a later one, and are as short as they can be.

The first two steps of the method of Sugiyama, Tagawa and Toda (1981), "Methods for visual understanding of hierarchical
system structures". Cycles are cut where a walk in the given order comes back to where it has been.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["layered"]

Edge = tuple[int, int]


def layered(count: int, edges: Sequence[Edge]) -> tuple[list[int], list[Edge]]:
    """The layer of each of `count` shapes, from 0, and the edges as they lead down; those that close a cycle turned.

    Edges from a shape to itself must not be among them.
    """
    back = _closing(count, edges)
    down = [(head, tail) if (tail, head) in back else (tail, head) for tail, head in edges]
    below: list[list[int]] = [[] for _ in range(count)]
    above: list[list[int]] = [[] for _ in range(count)]
    for tail, head in down:
        below[tail].append(head)
        above[head].append(tail)
    order = _topological(below, above)
    layers = [0] * count
    for shape in order:
        layers[shape] = max((layers[each] + 1 for each in above[shape]), default=0)
    while _tightened(layers, order, below, above):
        pass  # each round makes links shorter, so there is a last one
    return layers, down


def _closing(count: int, edges: Sequence[Edge]) -> set[Edge]:
    """The edges that lead back to a shape which the walk has not left."""
    targets: list[list[int]] = [[] for _ in range(count)]
    for tail, head in edges:
        targets[tail].append(head)
    entered = {head for _, head in edges}
    first = [each for each in range(count) if each not in entered]  # who nothing leads to begins
    left, open_ones, back = set[int](), set[int](), set[Edge]()
    for start in (*first, *range(count)):
        walk: list[tuple[int, Iterator[int]]] = []
        if start not in left:
            walk.append((start, iter(targets[start])))
            open_ones.add(start)
        while walk:
            shape, rest = walk[-1]
            target = next(rest, None)
            if target is None:
                walk.pop()
                open_ones.discard(shape)
                left.add(shape)
            elif target in open_ones:
                back.add((shape, target))
            elif target not in left:
                walk.append((target, iter(targets[target])))
                open_ones.add(target)
    return back


def _topological(below: Sequence[Sequence[int]], above: Sequence[Sequence[int]]) -> list[int]:
    waiting = [len(each) for each in above]
    order = [shape for shape, number in enumerate(waiting) if number == 0]
    for shape in order:  # which grows
        for target in below[shape]:
            waiting[target] -= 1
            if waiting[target] == 0:
                order.append(target)
    return order


def _tightened(
    layers: list[int], order: Sequence[int], below: Sequence[Sequence[int]], above: Sequence[Sequence[int]]
) -> bool:
    """Move each shape to the side where it has more links, as far as they let it."""
    moved = False
    for shape in reversed(order):
        lowest = min((layers[each] for each in below[shape]), default=layers[shape] + 1) - 1
        highest = max((layers[each] for each in above[shape]), default=-1) + 1
        pull = len(below[shape]) - len(above[shape])
        wanted = lowest if pull > 0 else highest if pull < 0 else layers[shape]
        moved = moved or wanted != layers[shape]
        layers[shape] = wanted
    return moved
