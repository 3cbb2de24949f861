"""Where rows come from: files and datasets of the hub as ``data`` blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from pipeline_dsl.importing.codes import Code
from pipeline_dsl.importing.draft import Block, Said
from pipeline_dsl.importing.names import name_of
from pipeline_dsl.importing.places import Places, is_address, kind_of_file
from pipeline_dsl.importing.reader import Reader
from pipeline_dsl.importing.rows import Seen, look
from pipeline_dsl.syntax.nodes import Value

BRANCH = "a branch moves: a commit (40 hex digits) is for good"
_SLICE = re.compile(r"([A-Za-z0-9_.-]+)(?:\[:(\d+)\])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One source of rows, and the template that its rows go through."""

    name: str
    block: Block
    seen: Seen = field(default_factory=Seen)
    template: Value = "plain_text"
    weight: float | None = None
    remark: str = ""

    def with_words(self, **words: Said) -> Origin:
        """The same with further words in its block."""
        return replace(self, block={**self.block, **words})


def file_origin(
    reader: Reader, key: str, path: str, places: Places, kind: str | None = None
) -> Origin | None:
    """A file as a source; None, and a finding, where nothing reads it.

    Args:
        reader: the block that names it.
        key: the key that does.
        path: as the config has it.
        places: where that is.
        kind: ``json``, ``jsonl``, ``csv``, ``parquet`` or ``text``; without it the name's ending says it.
    """
    kind = kind or kind_of_file(path)
    if places.is_folder(path) or any(sign in path for sign in "*?["):
        help_ = "name its files, one by one, in the config (`data_files` in most tools)"
        reader.refuse(Code.DATA_FORM, f"`{key}` is a folder or pattern; a recipe names files", key, help_)
        return None
    if kind is None:
        help_ = "a recipe reads .json, .jsonl, .csv, .tsv, .parquet and .txt files, and datasets of the hub"
        reader.refuse(Code.DATA_FORM, f"no source of a recipe reads the file of `{key}`", key, help_)
        return None
    seen = Seen() if is_address(path) else look(places.here(path), kind)
    block = {"use": Said(value=seen.kind or kind), "path": Said(value=places.written(path))}
    return Origin(name=name_of(path, "rows"), block=block, seen=seen)


def hub_origin(
    reader: Reader, name: str, *, split: str | None, config: str | None, revision: str | None
) -> Origin | None:
    """A dataset of the hub as a source; None, and a finding, where its split is no name and count."""
    part = _SLICE.fullmatch(split or "train")
    if part is None:
        help_ = "a recipe takes a whole part of a dataset, or its first rows: `train[:1000]`"
        reader.refuse(Code.DATA_FORM, "this part of a dataset cannot be said", "split", help_)
        return None
    block = {"use": Said(value="hub"), "name": Said(value=name)}
    block["revision"] = Said(value=revision or "main", remark="" if revision else BRANCH)
    block["hub_split"] = Said(value=part[1])
    if config:
        block["config"] = Said(value=config)
    if part[2]:
        block["limit"] = Said(value=max(1, int(part[2])))
    return Origin(name=name_of(name, "rows"), block=block)


GENERIC = {"json": "json", "csv": "csv", "parquet": "parquet", "text": "text"}
"""Names under which ``datasets.load_dataset`` reads files."""


def origins_of(
    reader: Reader,
    places: Places,
    path: str,
    files: tuple[str, ...] = (),
    *,
    config: str | None = None,
    revision: str | None = None,
    kind: str | None = None,
) -> tuple[Origin, ...]:
    """What ``load_dataset(path, data_files=files)`` reads, a source for each file.

    Args:
        reader: a block with the keys ``path`` or ``source``, ``data_files`` and ``split``.
        places: where paths of the config are.
        path: a file, a format such as ``json``, or a name of the hub.
        files: the files, if they are named apart.
        config: the subset of a dataset of the hub.
        revision: of a dataset of the hub.
        kind: the source that reads a file whose name does not say it.
    """
    key = (
        "data_files"
        if files
        else next((k for k in ("path", "source", "dataset_name") if reader.has(k)), "path")
    )
    kind = GENERIC.get(path) or kind
    if files and (path in GENERIC or places.is_folder(path)):
        folder = "" if path in GENERIC else f"{path}/"
        found = [file_origin(reader, key, f"{folder}{f}", places, _kind(f, kind)) for f in files]
    elif files:
        help_ = "download the files of a dataset of the hub, or leave `data_files` out to take all of it"
        reader.refuse(
            Code.DATA_FORM, "`data_files` goes with json, csv, parquet, text or a folder", key, help_
        )
        return ()
    elif _is_local(path, places):
        found = [file_origin(reader, key, path, places, _kind(path, kind))]
    else:
        found = [hub_origin(reader, path, split=reader.text("split"), config=config, revision=revision)]
    return tuple(_part(reader, origin) for origin in found if origin is not None)


def _part(reader: Reader, origin: Origin) -> Origin:
    """The first rows of a file, where ``split`` asks for them; other parts only the hub has."""
    part = reader.text("split") or "train"
    match = _SLICE.fullmatch(part)
    if "hub_split" in origin.block or part == "train":
        return origin
    if match is None or match[1] != "train":
        reader.leave("split", "a file has one part, `train`; take rows with `filter`, `limit` or `split`")
        return origin
    return origin.with_words(limit=Said(value=max(1, int(match[2]))))


def _is_local(path: str, places: Places) -> bool:
    if kind_of_file(path) or is_address(path) or path.startswith((".", "/", "~")):
        return True
    return places.is_folder(path) or places.is_file(path)


def _kind(path: str, otherwise: str | None) -> str | None:
    return kind_of_file(path) or otherwise
