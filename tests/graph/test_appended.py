"""Lists of a state that record what a commit has to write."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentgraph.graph.appended import AppendedList, Change, adopt

Mutation = Callable[[list[int]], object]

numbers = st.integers(0, 5)
positions = st.integers(-7, 7)
slices = st.slices(7)
few = st.lists(numbers, max_size=3)


def assign_slice(where: slice, values: Sequence[int]) -> Mutation:
    def mutate(items: list[int]) -> None:
        items[where] = values

    return mutate


def assign(where: int, value: int) -> Mutation:
    def mutate(items: list[int]) -> None:
        items[where] = value

    return mutate


def delete(where: int | slice) -> Mutation:
    def mutate(items: list[int]) -> None:
        del items[where]

    return mutate


def extend(values: Sequence[int]) -> Mutation:
    def mutate(items: list[int]) -> None:
        items += values

    return mutate


def repeat(times: int) -> Mutation:
    def mutate(items: list[int]) -> None:
        items *= times

    return mutate


def call(method: str, *args: object, **options: object) -> Mutation:
    def mutate(items: list[int]) -> None:
        getattr(items, method)(*args, **options)

    return mutate


def negative(value: int) -> int:
    return -value


mutations: st.SearchStrategy[Mutation] = st.one_of(
    st.builds(call, st.just("append"), numbers),
    st.builds(call, st.just("extend"), few),
    st.builds(call, st.just("insert"), positions, numbers),
    st.builds(call, st.just("pop"), positions),
    st.builds(call, st.just("remove"), numbers),
    st.builds(call, st.sampled_from(["pop", "clear", "reverse", "sort"])),
    st.builds(call, st.just("sort"), key=st.just(negative), reverse=st.booleans()),
    st.builds(extend, few),
    st.builds(repeat, st.integers(-1, 2)),
    st.builds(assign, positions, numbers),
    st.builds(assign_slice, slices, few),
    st.builds(delete, positions | slices),
)


def happens(mutate: Mutation, items: list[int]) -> type[Exception] | None:
    """Does it; the type of the error that a list answers with, if it does."""
    try:
        mutate(items)
    except (IndexError, ValueError) as error:
        return type(error)
    return None


def folded(stored: list[Any], change: Change[Any]) -> list[Any]:
    """What a reader of the store makes of a change."""
    kept = stored[: change.keep]
    for index, value in change.replaced:
        kept[index] = value
    return [*kept, *change.added]


@given(few, st.lists(st.lists(mutations, max_size=4), max_size=5))
def test_the_recorded_changes_add_up_to_the_list(start: list[int], batches: list[list[Mutation]]) -> None:
    plain, recording, stored = list(start), AppendedList(start), list[int]()
    for batch in batches:
        for mutate in batch:
            assert happens(mutate, recording) == happens(mutate, plain)
        assert recording == plain
        stored = folded(stored, recording.change()) if recording.changed else stored
        assert stored == plain
        recording.mark_stored()
        assert not recording.changed
        assert (recording.stored, recording.intact) == (len(plain), len(plain))


@given(few, st.lists(mutations, max_size=4), few)
def test_a_new_list_in_its_place_is_compared_with_it(start: list[int], batch: list[Mutation], other: list[int]) -> None:
    previous = AppendedList(start)
    previous.mark_stored()
    for mutate in batch:
        happens(mutate, previous)
    for assigned in (previous + other, list(other), previous[:-1]):
        assert folded(start, adopt(assigned, previous).change()) == assigned


@given(st.integers(0, 200), few)
def test_appending_writes_what_is_new_however_long_the_list(length: int, added: list[int]) -> None:
    items = AppendedList(range(length))
    items.mark_stored()
    items.extend(added)
    assert items.change() == Change(length, [], added)


def test_replacing_an_item_writes_that_item() -> None:
    items = AppendedList("abcd")
    items.mark_stored()
    items[1], items[-1] = "B", "D"
    assert items.change() == Change(4, [(1, "B"), (3, "D")], [])
    assert items.intact == 1
    del items[2:]
    assert items.change() == Change(2, [(1, "B")], [])


def test_an_assigned_list_shares_the_items_that_are_the_same_objects() -> None:
    @dataclass
    class Item:
        name: str

    one, two, three = Item("1"), Item("2"), Item("3")
    previous = AppendedList([one, two])
    previous.mark_stored()
    assert adopt([one, two, three], previous).change() == Change(2, [], [three])
    assert adopt([one, Item("2")], previous).change() == Change(1, [], [two])
    assert adopt(previous, previous) is previous
    assert adopt([one], None).change() == Change(0, [], [one])


def pickled(items: AppendedList[int]) -> AppendedList[int]:
    other: AppendedList[int] = pickle.loads(pickle.dumps(items))  # noqa: S301 - our own bytes
    return other


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_goes_on_recording(copied: Callable[[AppendedList[int]], AppendedList[int]]) -> None:
    items = AppendedList([1, 2])
    items.mark_stored()
    other = copied(items)
    other.append(3)
    assert (items, other) == ([1, 2], [1, 2, 3])
    assert other.change() == Change(2, [], [3])


@pytest.mark.parametrize(
    ("mutate", "keep"),
    [
        (call("clear"), 0),
        (call("reverse"), 0),
        (call("sort"), 0),
        (call("remove", 2), 1),
        (call("insert", -1, 9), 2),
        (call("pop"), 2),
        (repeat(0), 0),
        (repeat(2), 3),
        (assign_slice(slice(3, 0, -2), [8]), 2),
    ],
)
def test_what_each_mutation_keeps(mutate: Mutation, keep: int) -> None:
    items = AppendedList([1, 2, 3])
    items.mark_stored()
    mutate(items)
    assert items.change() == Change(keep, [], items[keep:])
