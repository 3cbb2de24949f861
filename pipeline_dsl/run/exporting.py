"""A finished stack leaves medrecipe: verified, written beside its place, given its name when it is whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pipeline_dsl.api.contracts import Model
from pipeline_dsl.api.errors import GuardError, MachineError, MedrecipeError
from pipeline_dsl.api.providers import Kind
from pipeline_dsl.api.records import MergeProof
from pipeline_dsl.api.trained import Exporter, ExportJob, Measured
from pipeline_dsl.plan.border import working
from pipeline_dsl.plan.choose import make, version_of
from pipeline_dsl.plan.codes import PlanCode
from pipeline_dsl.plan.model import ProviderRef
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run import atomic, export_manifest
from pipeline_dsl.run.card_facts import CardFacts, ExportFacts, card_facts, phase_of, shown
from pipeline_dsl.run.export_files import files_of
from pipeline_dsl.run.finished import BASE_NAME, FinishedRun, FinishedStack, UnknownStackError
from pipeline_dsl.run.markdown import size
from pipeline_dsl.run.model_card import model_card
from pipeline_dsl.run.stack import load_base

CARD = "README.md"
_SPARE = 1.2
"""Room that there has to be, in shares of what is to be written."""
Say = Callable[[str], None]
Json = dict[str, Any]


class UnknownFormError(MedrecipeError):
    """No plugin offers such an exporter, or several do (exit 2)."""

    exit_code: ClassVar[int] = 2
    general_code: ClassVar[str] = PlanCode.UNKNOWN_PROVIDER.code


class NotEmptyError(MedrecipeError):
    """There is something already where an export is to go (exit 2)."""

    exit_code: ClassVar[int] = 2
    general_code: ClassVar[str] = PlanCode.NOT_EMPTY.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """An exporter that was chosen."""

    ref: ProviderRef
    summary: str
    exporter: Exporter
    library: str
    takes_dtype: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What is to be exported, and where to."""

    out: Path
    name: str | None = None
    """Of a phase or adapter; None for what the last phase left."""
    dtype: str | None = None
    rejected_too: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    run: str
    phase: str
    form: str
    folder: Path
    files: int
    bytes: int
    proof: Json | None
    """Of the merge that the export made, as its manifest has it."""
    opening: str
    """Markdown that shows how to open it by the path that was asked for."""


def find_form(catalog: Catalog, name: str) -> Form:
    """Return an exporter by its name; MedrecipeError that lists what there is."""
    offers = catalog.find(Kind.EXPORTER, name)
    if not offers:
        there = ", ".join(catalog.names(Kind.EXPORTER)) or "none"
        raise UnknownFormError(f"no plugin offers the exporter `{name}`", help=f"installed: {there}")
    if len(offers) > 1:
        raise UnknownFormError(
            f"the exporter `{name}` is offered by several plugins",
            help=f"write one of {', '.join(offer.full_name for offer in offers)}",
            code=PlanCode.CLASH.code,
        )
    (offer,) = offers
    ref = ProviderRef(
        kind=Kind.EXPORTER,
        name=offer.provider.name,
        plugin=offer.plugin.name,
        version=version_of(offer),
        options={},
    )
    with working(ref, "its factory"):
        exporter: Exporter = make(catalog, ref)
        return Form(
            ref=ref,
            summary=offer.provider.summary,
            exporter=exporter,
            library=exporter.library,
            takes_dtype=exporter.takes_dtype,
        )


def refuse_full(out: Path) -> None:
    """Raise MedrecipeError unless a folder is not there yet, or is empty."""
    try:
        taken = (out.exists() or out.is_symlink()) and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:
        raise MachineError(f"{out} cannot be looked into: {error.strerror}") from error
    if taken:
        what = "is not empty" if out.is_dir() else "is a file"
        raise NotEmptyError(
            f"{out} {what}", help="name a folder that is not there yet: nothing is written over"
        )


def export_stack(run: FinishedRun, form: Form, request: ExportRequest, say: Say) -> Exported:
    """Write a finished stack into a folder, which appears under its name once it is whole.

    Raises:
        UnknownStackError: there is no such stack, or it is the untouched base.
        NotEmptyError: something is there already.
        GuardError: the phase broke its retention contract, and nobody said to export it all the same.
        ModelError: the stack cannot leave in this form.
        MachineError: there is no room, or it cannot be written.
    """
    out = request.out.expanduser().resolve()
    refuse_full(out)
    stack = _chosen(run, request)
    facts = card_facts(run, stack)
    opening = _opening(run, form, facts, str(request.out))
    manifests: list[Json] = []
    with tempfile.TemporaryDirectory() as scratch:
        job = _job(run, stack, request, Path(scratch), say)
        _refuse_without_room(run, form, job, out)

        def fill(folder: Path) -> None:
            manifests.append(_write(run, form, facts, replace(job, folder=folder), out.name))
            refuse_full(out)  # nobody else may have written there meanwhile

        atomic.make_folder(out, fill)
    (manifest,) = manifests
    return Exported(
        run=run.folder.id,
        phase=stack.name,
        form=form.ref.name,
        folder=out,
        files=len(manifest["files"]) + 1,
        bytes=sum(file["bytes"] for file in manifest["files"].values()),
        proof=manifest["proof"],
        opening=opening,
    )


def _chosen(run: FinishedRun, request: ExportRequest) -> FinishedStack:
    stack = run.find(request.name)
    if stack.phase is None:
        there = ", ".join(s.name for s in run.stacks)
        raise UnknownStackError(
            f"`{BASE_NAME}` is the untouched base, of which nothing is exported", help=f"the run has {there}"
        )
    if stack.rejected and not request.rejected_too:
        raise GuardError(
            f"the phase `{stack.name}` broke its retention contract and was rejected",
            help="--rejected-too exports it all the same, and its card says so",
            code="MR487",
        )
    return stack


def _job(
    run: FinishedRun, stack: FinishedStack, request: ExportRequest, scratch: Path, say: Say
) -> ExportJob:
    """Make the job of an exporter; its folder is the place that it will get."""
    if run.plan.base is None:
        msg = "an opened run has a base"
        raise ValueError(msg)
    return ExportJob(
        load=partial(load_base, run.plan, run.catalog, run.plan.seed),
        base=run.plan.base,
        layers=stack.layers,
        files=files_of(run, phase_of(stack), scratch),
        folder=request.out,
        dtype=request.dtype,
        say=say,
    )


def _refuse_without_room(run: FinishedRun, form: Form, job: ExportJob, out: Path) -> None:
    """Raise MachineError where what is to be written does not fit, with room to spare."""
    needed = _SPARE * _size(run, form, job)
    there = next(folder for folder in out.parents if folder.exists())
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        raise MachineError(f"{there} cannot be written to: {error.strerror}") from error
    if free < needed:
        raise MachineError(
            f"the export takes about {size(int(needed))} and there is room for {size(free)}",
            help="make room, or name a folder on another disk with --out",
            place=str(there),
        )


def _size(run: FinishedRun, form: Form, job: ExportJob) -> int:
    if not isinstance(form.exporter, Measured):
        return sum(path.stat().st_size for path in job.files.values())
    model: Model = make(run.catalog, run.plan.model)
    with working(run.plan.model, "shape"):
        shape = model.shape()
    with working(form.ref, "size"):
        return form.exporter.size(job, shape)


def _write(run: FinishedRun, form: Form, facts: CardFacts, job: ExportJob, name: str) -> Json:
    """Have the exporter write, then add the card and, last, the manifest, which is returned."""
    proof = _exported(form, job)
    export = ExportFacts(
        form=form.ref,
        summary=form.summary,
        library=form.library,
        opening=_opening(run, form, facts, name),
        dtype=job.dtype,
        proof=proof,
    )
    (job.folder / CARD).write_text(model_card(facts, export), encoding="utf-8")
    manifest = export_manifest.describe(facts, export, job.folder)
    atomic.write_json(job.folder / export_manifest.NAME, manifest)
    return manifest


def _exported(form: Form, job: ExportJob) -> MergeProof | None:
    """Have the exporter write its files."""
    with working(form.ref, "export"):
        try:
            return form.exporter.export(job)
        except OSError as error:
            raise MachineError(f"the export cannot be written: {error.strerror or error}") from error


def _opening(run: FinishedRun, form: Form, facts: CardFacts, folder: str) -> str:
    with working(form.ref, "opening"):
        return form.exporter.opening(shown(facts, run, folder))
