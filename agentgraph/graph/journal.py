"""What already happened inside a step that has not ended.

A journaled call is run at most once to its end: its value is stored under its key before anybody sees it, and a step
that runs again takes it from there. A row also carries a digest of what was called with which arguments; a row whose
digest differs belongs to another call, and is not used.

The value that comes last in a batch is *held*: the commit of the step carries it anyway, so nothing is written for a
step with a single call. Whatever ends the step otherwise writes the held row first (`held(taken=True)`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from inspect import isawaitable, isroutine
from typing import Any, Generic, Literal, NoReturn, Protocol, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from anyio import sleep
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from agentgraph.concurrency import gather
from agentgraph.exceptions import GraphRuntimeError, RunFenced, RunWaiting, StoreError

from .adapters import adapter_for
from .questions import Question, all_of, stage
from .store import ROOT, JournalKind, JournalRecord, Lapsed

__all__ = ["UNKNOWN", "AfterCrash", "Journal", "JournalWriter", "Once"]

T = TypeVar("T")


class JournalWriter(Protocol):
    """Writes the rows of a run."""

    @property
    def lapsed(self) -> Lapsed: ...

    def write_journal(self, row: JournalRecord, /) -> Awaitable[None]:
        """Write what happened inside the pending step, to its end, whatever becomes of the caller."""
        ...


AfterCrash: TypeAlias = Literal["retry", "ask", "fail"]
"""Of a call whose outcome is not known: it is made again, the run waits for a person, or the run fails."""

UNKNOWN = "unknown outcome"
"""What a question about such a call says as its reason."""


@dataclass(unsafe_hash=True)  # no slots: with them, Python 3.11 fails at `Once[T](…)`
class Once(Generic[T]):
    """A call to be run once per step and key. Never changed; not frozen, since each call of a tool makes one."""

    key: str
    fn: Callable[..., Awaitable[T] | T]
    args: Sequence[Any] = ()
    adapter: TypeAdapter[T] | None = None
    """Stores and loads the value; None: of the type that `fn` is annotated to return."""
    identity: object = None
    """What the digest is made of, or a function that says it when asked; None: the name of `fn` and `args`."""
    after_crash: AfterCrash = "retry"
    """What becomes of it if its process died while it ran, so that its outcome is not known.

    The answer to what `'ask'` asks is `{"returned": value}` if the call did return; any other has it made again.
    """

    def digest(self) -> str:
        """Tells this call from another one under the same key."""
        identity = self.identity() if callable(self.identity) else self.identity
        if identity is None:
            identity = [getattr(self.fn, "__qualname__", type(self.fn).__qualname__), list(self.args)]
        return sha256(to_json(identity, fallback=lambda value: type(value).__qualname__)).hexdigest()[:32]


class Journal:
    """The journal of the pending step of one branch; without a writer it only runs the calls."""

    __slots__ = (
        "_answered",
        "_held",
        "_rows",
        "_run_id",
        "_values",
        "_writer",
        "branch",
        "children",
        "seq",
        "slept",
        "written",
    )

    def __init__(self, writer: JournalWriter | None = None, run_id: str = "") -> None:
        self._writer = writer
        self._run_id = run_id
        self.seq, self.branch = 0, ROOT
        self._rows: dict[str, JournalRecord] = {}
        self._values: dict[str, tuple[Once[Any], Any]] = {}  # what this attempt has run itself, by key
        self._held: Callable[[], JournalRecord] | None = None
        self._answered: dict[str, str] = {}  # the questions that this attempt has had answers to, with their digests
        self.slept: tuple[str, ...] = ()
        """The keys of the timers that this attempt has waited for."""
        self.children: tuple[str, ...] = ()
        """Those of the runs that it has started."""
        self.written = False

    def begin(self, seq: int, rows: Iterable[JournalRecord] = (), branch: str = ROOT) -> None:
        """Turn to step `seq`, of which `rows` are known."""
        self.seq, self.branch, self._held = seq, branch, None
        if self._values:
            self._values = {}
        if self._answered:
            self._answered = {}
        self.slept, self.children = (), ()
        if rows or self._rows:
            self._rows = {row.key: row for row in rows if row.seq == seq and row.branch == branch}
        self.written = bool(self._rows)

    @property
    def blank(self) -> bool:
        """Whether nothing is written of the step, by this attempt or an earlier one."""
        return not self._rows

    def held(self, *, taken: bool = False) -> list[JournalRecord]:
        """The row that is held back, if any; `taken` by whoever ends the step otherwise, it is held no more."""
        held = [self._held()] if self._held is not None else []
        if taken:
            self._held = None
        return held

    async def once(self, call: Once[T]) -> T:
        """Run one call, or take its value from the journal."""
        known = self._known(call)
        if known is not None:
            return known()
        await self._write_held()
        value = await self._run(call)
        await self._keep(call, value)
        return value

    async def once_all(self, calls: Sequence[Once[T]]) -> list[T]:
        """Run a batch side by side, the value that comes last being held for the commit."""
        if len(calls) == 1:
            return [await self._lone(calls[0])]
        _check_keys([call.key for call in calls])
        missing = {call.key for call in calls if self._known(call) is None}
        if missing:
            await self._write_held()

        asked: dict[str, RunWaiting] = {}
        try:
            values = await gather([partial(self._settle, call, missing, asked) for call in calls])
        except BaseException:
            await self._keep_questions([*all_of(self._run_id, [*asked.values()]).questions])
            raise
        if asked:  # in the order of the calls, whichever asked first
            raise all_of(self._run_id, [asked[call.key] for call in calls if call.key in asked])
        return [value for each in values for value in each]

    def answer(self, key: str, digest: str) -> bytes | None:
        """The answer to the question that was asked under `key` about what `digest` stands for, if it is there.

        Raises:
            GraphRuntimeError: another question of this attempt was answered under the key.
        """
        if self._answered.get(key, digest) != digest:
            message = f"step {self.seq} asks two questions under the key {key!r}: give each a key of its own"
            raise GraphRuntimeError(message)
        row = self.row(key, digest)
        if row is None or row.kind is not JournalKind.ANSWERED:
            return None
        self._answered[key] = digest
        return row.value

    def ask(self, key: str, about: object, digest: str) -> NoReturn:
        """Let the step wait for an answer.

        Raises:
            RunWaiting: always; the scheduler puts the run to sleep.
            GraphRuntimeError: the run is kept nowhere, so nobody could answer it; or a call was made under the key.
        """
        if self._writer is None:
            message = f"a run that waits for an answer ({key!r}) needs a store to be found in; give `store=`"
            raise GraphRuntimeError(message)
        if key in self._values:
            message = f"step {self.seq} asks under the key {key!r} of a call that it made: give each a key of its own"
            raise GraphRuntimeError(message)
        raise RunWaiting(self._run_id, [Question(self._run_id, f"{self.branch}/{self.seq}/{key}", about, digest)])

    async def reopen(self, key: str, about: object, digest: str) -> None:
        """Take an answer back that cannot be used: the question is open again."""
        question = Question(self._run_id, f"{self.branch}/{self.seq}/{key}", about, digest)
        await self._store(question.row(self._run_id, self.seq, self.branch))

    def ask_on(self, key: str, digest: str) -> None:
        """Wait on where an earlier attempt asked this very question and it is still open.

        Raises:
            RunWaiting: it did.
        """
        row = self.row(key, digest)
        if row is not None and row.kind is JournalKind.ASKED:
            self.ask(key, Question.read(row).about, digest)

    def row(self, key: str, digest: str) -> JournalRecord | None:
        """What is written under the key about what `digest` stands for."""
        row = self._rows.get(key)
        return row if row is not None and row.digest == digest else None

    async def note(self, kind: JournalKind, key: str, digest: str, value: bytes) -> None:
        """Write something that a later attempt of the step finds by `row`; nothing where the run is kept nowhere.

        Raises:
            RunFenced, StoreError: it is not written.
        """
        made = JournalRecord(seq=self.seq, branch=self.branch, key=key, kind=kind, digest=digest, value=value)
        self._rows[key] = made
        if self._writer is not None:
            await self._store(made)

    def _known(self, call: Once[T]) -> Callable[[], T] | None:
        """What gives the call's value if it was run already, by this attempt or an earlier one."""
        ran = self._values.get(call.key)
        if ran is not None and ran[0].digest() == call.digest():
            known: T = ran[1]  # the digests are equal, so it is what this very call returned
            return lambda: known
        row = self._rows.get(call.key) if self._rows else None
        if row is None or row.kind not in (JournalKind.DONE, JournalKind.LOST) or row.digest != call.digest():
            return None
        return partial(_value, call, row)

    async def _lone(self, call: Once[T]) -> T:
        """The one call of a batch: its value is held without a look at others."""
        known = self._known(call)
        if known is not None:
            return known()
        if self._held is not None:
            await self._write_held()
        try:
            value = await self._run(call)
        except RunWaiting as waiting:
            asked = all_of(self._run_id, [waiting])
        else:
            if self._writer is not None:
                self._held = partial(self._record, call, value)
            return value
        raise asked

    async def _settle(self, call: Once[T], missing: set[str], asked: dict[str, RunWaiting]) -> list[T]:
        """One call of a batch: its value; or what it asks, put into `asked`."""
        known = self._known(call)
        if known is not None:
            return [known()]
        try:
            value = await self._run(call)
        except RunWaiting as waiting:  # the others go on to their ends; then the step waits for all of its answers
            asked[call.key] = waiting
            return []
        missing.discard(call.key)
        if missing:
            await self._keep(call, value)
        elif self._writer is not None:
            self._held = partial(self._record, call, value)
        return [value]

    async def _run(self, call: Once[T]) -> T:
        if self._writer is not None and self._writer.lapsed():  # another process may have made the call already
            await sleep(1)  # much less: the alarm arrives, and stops the step
        value = await (_made(call) if call.after_crash == "retry" else self._run_marked(call))
        self._values[call.key] = call, value
        return value

    async def begin_call(self, call: Once[T], about: object = None) -> None:
        """Note that the call is made, unless an earlier attempt died over it; see `AfterCrash`.

        `about` is what the question says, by default only that the outcome is not known.

        Raises:
            RunWaiting: an earlier attempt made it and died, and nobody has said yet what to do.
            GraphRuntimeError: the same, and the call says to fail then.
        """
        if self._writer is None:
            return
        digest = call.digest()
        self.ask_on(call.key, digest)
        row = self.row(call.key, digest)
        begun = row is not None and row.kind is JournalKind.STARTED
        if begun and call.after_crash == "fail":
            message = (
                f"call {call.key!r} of step {self.seq} was begun by a process that died, so its outcome is not known, "
                "and `after_crash='fail'` says not to make it again"
            )
            raise GraphRuntimeError(message)
        if begun:
            self.ask(call.key, {"reason": UNKNOWN} if about is None else about, digest)
        await self.note(JournalKind.STARTED, call.key, digest, b"null")

    async def end_call(self, key: str, digest: str) -> None:
        """Note that a call which was begun has raised an error: its process did not die over it."""
        with suppress(StoreError, RunFenced):  # the error is what the caller must hear of
            await self.note(JournalKind.RAISED, key, digest, b"null")

    async def _run_marked(self, call: Once[T]) -> T:
        """Make a call between `begin_call` and `end_call`, or take what a person has said about an earlier attempt."""
        digest, key, answers = call.digest(), call.key, 0
        while (answer := self.answer(key, digest)) is not None:
            match from_json(answer):
                case {"returned": value}:
                    return await self._said(key, digest, call, to_json(value))
                case _:
                    answers += 1
                    key = stage(call.key, answers)
        await self.begin_call(replace(call, key=key))
        try:
            return await _made(call)
        except Exception:
            await self.end_call(key, digest)
            raise

    async def _said(self, key: str, digest: str, call: Once[T], value: bytes) -> T:
        try:
            return _adapter(call).validate_json(value)
        except ValidationError:
            await self.reopen(key, {"reason": UNKNOWN}, digest)
            raise

    async def _keep_questions(self, questions: Sequence[object]) -> None:
        """Write what was asked by calls of a batch that fails, so that they are not made again to ask again."""
        rows = [each.row(self._run_id, self.seq, self.branch) for each in questions if isinstance(each, Question)]
        with suppress(StoreError, RunFenced):  # what the batch failed with is what the caller must hear of
            for row in rows:
                if row.key not in self._rows:  # else it was asked before, and may be answered by now
                    await self._store(row)

    async def _write_held(self) -> None:
        """Write the row that was held back: with another call to come, the step's commit is no longer next."""
        for row in self.held(taken=True):
            await self._store(row)

    async def _keep(self, call: Once[T], value: T) -> None:
        if self._writer is None:
            return
        await self._store(self._record(call, value))

    async def _store(self, row: JournalRecord) -> None:
        assert self._writer is not None  # nothing is held back where nothing is written
        self.written = True  # also if it fails: a commit that deletes too much deletes nothing
        await self._writer.write_journal(row)

    def _record(self, call: Once[T], value: T) -> JournalRecord:
        kind = JournalKind.DONE
        try:
            stored = _adapter(call).dump_json(value, warnings="error")
        except Exception as error:  # noqa: BLE001 - whatever a value's own serializer raises
            kind, stored = JournalKind.LOST, to_json(f"{type(value).__name__}: {error}")
        return JournalRecord(
            seq=self.seq, branch=self.branch, key=call.key, kind=kind, digest=call.digest(), value=stored
        )


def _made(call: Once[T]) -> Awaitable[T]:
    returned: Any = call.fn(*call.args)  # isawaitable does not narrow a T; what is awaited is T by its own type
    pending: Awaitable[T] = returned if isawaitable(returned) else _given(returned)
    return pending


async def _given(value: T) -> T:
    return value


def _check_keys(keys: Sequence[str]) -> None:
    if len(set(keys)) < len(keys):
        message = f"the calls of one batch need a key of their own each; these keys came: {', '.join(keys)}"
        raise GraphRuntimeError(message)


def _adapter(call: Once[T]) -> TypeAdapter[T]:
    if call.adapter is not None:
        return call.adapter
    fn: Any = call.fn  # of any signature; a partial hides its function's type
    fn = fn.func if isinstance(fn, partial) else fn
    try:
        hints = get_type_hints(fn if isroutine(fn) else type(fn).__call__)
    except NameError:  # an annotation that only a type checker can resolve
        hints = {}
    returned = hints.get("return", Any)
    awaited = get_origin(returned) in (Awaitable, Coroutine)  # of a function that is not `async def`
    return adapter_for(get_args(returned)[-1] if awaited else returned)


def _value(call: Once[T], row: JournalRecord) -> T:
    if row.kind is JournalKind.LOST:
        reason = row.value.decode()
        message = f"call {call.key!r} of step {row.seq} was run, but what it returned could not be stored: {reason}"
        raise GraphRuntimeError(message)
    return _adapter(call).validate_json(row.value)
