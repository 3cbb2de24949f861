"""From a mix to what a trainer reads: samples out of the cache, or made and put there, or a stream."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline_dsl.api.contracts import LanguageModel, Template, Trainer
from pipeline_dsl.api.errors import DataError, MachineError
from pipeline_dsl.api.records import PlacedRow, Preparation, Sample
from pipeline_dsl.plan import prepared
from pipeline_dsl.plan.border import each, title, working
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.inspection import stream_guard
from pipeline_dsl.plan.mix import Pool, bounded_view, render
from pipeline_dsl.plan.model import MixPlan, Plan, ProviderRef
from pipeline_dsl.plan.prepared import Amounts, DamagedError, PreparedPool, amounts_of
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run import atomic
from pipeline_dsl.run.streaming import PooledFeed, StreamedFeed

UNUSED_DAYS = 30
"""Entries of the cache that nobody used for so long go away when a new one is written."""


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
            return self._made(entry, trainer)
        try:
            known = prepared.find(key, entry.data)
        except DamagedError:
            self.say(f"the prepared data of `{entry.data}` was damaged and is made anew")
            known = None
        if known is not None:
            _touch(prepared.cache_folder() / key)
            return known
        return self._kept(key, self._made(entry, trainer), entry.data)

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

    def _made(self, entry: MixPlan, trainer: Trainer) -> PreparedPool:
        samples = render(self.plan, entry.data, entry.template, entry.limit, self.catalog)
        made = PreparedPool.of(self._prepare(trainer, samples), entry.data)
        if not made:
            raise DataError(
                f"all {len(samples)} samples of `{entry.data}` are too long and were dropped",
                code="MR540",
                help=f"the longest has {made.amounts.longest} tokens: "
                "let the trainer take longer ones, or shorten them",
            )
        return made

    def _prepare(self, trainer: Trainer, samples: Sequence[Sample]) -> Preparation:
        with working(self.train, "prepare"):
            return trainer.prepare(self.model, samples)

    def _kept(self, key: str, made: PreparedPool, data: str) -> PreparedPool:
        """Put samples into the cache and return them as they lie there; else as they are in memory."""
        folder = prepared.cache_folder() / key
        with suppress(OSError):  # said below if it matters
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            atomic.make_folder(folder, lambda new: prepared.write(made, new))
            _forget_unused(folder.parent)
        except MachineError as error:
            if not folder.is_dir():  # else another process was faster
                self.say(f"the prepared data of `{data}` is not kept: {error.message}")
                return made
        with suppress(DamagedError):
            return prepared.find(key, data) or made
        return made


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
