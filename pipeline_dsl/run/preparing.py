"""From a mix to what a trainer reads: samples out of the cache, or made and put there, or a stream."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from errno import EEXIST
from pathlib import Path

from pipeline_dsl.api.contracts import LanguageModel, Template, Trainer
from pipeline_dsl.api.errors import DataError, MachineError, MedrecipeError
from pipeline_dsl.api.records import PlacedRow, Preparation, Sample
from pipeline_dsl.plan import prepared, shards
from pipeline_dsl.plan.border import each, title, working
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.inspection import stream_guard
from pipeline_dsl.plan.mix import Pool, bounded_view
from pipeline_dsl.plan.model import MixPlan, Plan, ProviderRef
from pipeline_dsl.plan.prepared import Amounts, DamagedError, PreparedPool, amounts_of
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run import atomic
from pipeline_dsl.run.reading import Rows
from pipeline_dsl.run.streaming import PooledFeed, StreamedFeed

UNUSED_DAYS = 30
"""Entries of the cache that nobody used for so long go away when a new one is written."""

_PAUSES = (0.0, 0.05, 0.5)
"""Seconds before each look at an entry that another process may be putting in the place of an equal one."""


@dataclass(slots=True)
class Seen:
    """What the samples of a stream came to that were prepared so far, in this process."""

    amounts: Amounts = field(default_factory=Amounts)

    def add(self, preparation: Preparation) -> None:
        """Count what was prepared just now."""
        self.amounts += amounts_of(preparation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """Prepares the data of a mix for one model and one trainer."""

    plan: Plan
    catalog: Catalog
    train: ProviderRef
    model: LanguageModel
    say: Callable[[str], None]

    def pool(self, entry: MixPlan) -> PreparedPool:
        """The samples of a mix row that is no stream: those that are kept, else made anew and kept.

        Raises:
            DataError: a file or row is wrong, or no sample is left.
            GuardError: what the trainer finds wrong in the samples.
        """
        trainer: Trainer = make(self.catalog, self.train)
        key = prepared.key_of(self.plan, entry, self.train, trainer)
        if key is None:
            return self._in_memory(entry, trainer)
        try:
            known = prepared.find(key, entry.data)
        except DamagedError:
            self.say(f"the prepared data of `{entry.data}` was damaged and is made anew")
            known = None
        if known is not None:
            _touch(prepared.cache_folder() / key)
            return known
        return self._kept(key, entry, trainer)

    def feed(self, entry: MixPlan, place: int, seed: int, seen: Seen) -> PooledFeed | StreamedFeed:
        """A mix row as it flows into a stream.

        Args:
            entry: the mix row.
            place: its number in the mix.
            seed: of the phase.
            seen: counts what is prepared on the way.
        """
        if not self.plan.data[entry.data].view.streaming:
            pool = Pool(samples=self.pool(entry), weight=entry.weight, repeat=entry.repeat)
            return PooledFeed(pool=pool, key=f"{seed}/{place}")
        trainer: Trainer = make(self.catalog, self.train)
        template: Template = make(self.catalog, entry.template)
        view = bounded_view(self.plan, entry.data, template, entry.limit, self.catalog)
        stream, hold = view.stream(seed), stream_guard(self.plan, entry, self.catalog)
        return StreamedFeed(
            name=entry.data,
            rows=lambda start: _held(stream.since(start), hold),
            render=lambda row, name: each(
                title(entry.template), "render", lambda: template.render(row, name)
            ),
            prepare=lambda samples: self._prepare(trainer, samples),
            told=seen.add,
        )

    def _in_memory(self, entry: MixPlan, trainer: Trainer) -> PreparedPool:
        made = PreparedPool.of(self._made(entry, trainer), entry.data)
        _refuse_nothing(made.amounts, entry.data)
        return made

    def _made(self, entry: MixPlan, trainer: Trainer) -> Iterator[Preparation]:
        """The samples of a mix row, some at a time; what is wrong with rows is raised before what follows.

        All rows are looked at for what they lack before any is rendered, and all are rendered before what
        the trainer finds is told. To hold to that without keeping them, they are read anew at a fault.
        """
        rows = Rows(self.plan, entry, self.catalog, self.say)
        try:
            yield from self._prepared(trainer, rows.samples())
        except MedrecipeError:
            rows.raise_first()
            raise

    def _prepared(self, trainer: Trainer, samples: Iterator[Sample]) -> Iterator[Preparation]:
        """What a trainer makes of samples: some at a time if it can, else all at once."""
        some_at_a_time = getattr(trainer, "prepare_all", None)
        if some_at_a_time is None:
            yield self._prepare(trainer, tuple(samples))
            return
        yield from each(title(self.train), "prepare_all", lambda: some_at_a_time(self.model, samples))

    def _prepare(self, trainer: Trainer, samples: Sequence[Sample]) -> Preparation:
        with working(self.train, "prepare"):
            return trainer.prepare(self.model, samples)

    def _kept(self, key: str, entry: MixPlan, trainer: Trainer) -> PreparedPool:
        """Put samples into the cache as they are made and return them as they lie there; else in memory."""
        refused = None
        try:
            found = keep(key, entry.data, lambda new: self._write(entry, trainer, new))
            if found is not None:
                return found
        except MachineError as error:
            refused = error
        made = self._in_memory(entry, trainer)
        if refused is not None:
            self.say(f"the prepared data of `{entry.data}` is not kept: {refused.message}")
        return made

    def _write(self, entry: MixPlan, trainer: Trainer, folder: Path) -> None:
        _refuse_nothing(shards.write(self._made(entry, trainer), folder, entry.data), entry.data)


def keep(key: str, data: str, fill: Callable[[Path], None]) -> PreparedPool | None:
    """Have an entry of the cache written, unless another process puts it there first, and return it.

    None where what lies there is not whole.

    Args:
        key: what it is kept under.
        data: the name of the data.
        fill: writes its files into an empty folder.

    Raises:
        MachineError: it cannot be written.
    """
    folder = prepared.cache_folder() / key

    def fill_unless_there(new: Path) -> None:
        fill(new)
        if _whole(key, data) is not None:
            raise FileExistsError(EEXIST, "another process was faster", str(folder))

    with suppress(OSError):  # raised below if it matters
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        atomic.make_folder(folder, fill_unless_there)
        _forget_unused(folder.parent)
    except MachineError:
        if not folder.is_dir():
            raise
    for pause in _PAUSES:
        time.sleep(pause)
        if (found := _whole(key, data)) is not None:
            return found
    return None


def _whole(key: str, data: str) -> PreparedPool | None:
    with suppress(DamagedError):
        return prepared.find(key, data)
    return None


def _refuse_nothing(amounts: Amounts, data: str) -> None:
    """Raise DataError where a trainer left no sample in."""
    if not amounts.samples:
        raise DataError(
            f"all {amounts.dropped} samples of `{data}` are too long and were dropped",
            code="MR540",
            help=f"the longest has {amounts.longest} tokens: "
            "let the trainer take longer ones, or shorten them",
        )


def _held(rows: Iterator[PlacedRow], hold: Callable[[PlacedRow], None]) -> Iterator[PlacedRow]:
    for placed in rows:
        hold(placed)
        yield placed


def report(amounts: Amounts) -> str | None:
    """What became of samples that were too long, in words; None where there were none."""
    counts = {"dropped": amounts.dropped, "given shorter prompts": amounts.shortened}
    told = " and ".join(f"{n} {'was' if n == 1 else 'were'} {what}" for what, n in counts.items() if n)
    if not told:
        return None
    return f"of {amounts.samples + amounts.dropped} samples {told} (the longest has {amounts.longest} tokens)"


def _touch(folder: Path) -> None:
    """Note that an entry was used."""
    with suppress(OSError):  # a cache that can only be read
        (folder / prepared.MANIFEST).touch()


def _forget_unused(cache: Path) -> None:
    """Remove what nobody used for long, and what was never finished; who has an entry open keeps it."""
    oldest = time.time() - UNUSED_DAYS * 24 * 3600
    for entry in list(cache.iterdir()):
        with suppress(OSError):
            manifest = entry / prepared.MANIFEST
            used = (manifest if manifest.exists() else entry).stat().st_mtime
            if used < oldest:
                gone = entry.rename(entry.with_name(f".{entry.name}.old"))
                shutil.rmtree(gone)
