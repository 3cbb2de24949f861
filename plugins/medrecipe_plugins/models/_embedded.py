"""Build an embedded model once: text, tokenizer, weights, a folder that appears whole or not at all."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medrecipe_plugins._cache import user_cache
from medrecipe_plugins.models._checkpoint import Checkpoint
from pipeline_dsl.api import MachineError

if TYPE_CHECKING:
    from medrecipe_plugins.models.embedded import Options

BUILDER = "1"
"""Raised when the same options build another model."""
_TEXT = Path(__file__).with_name("embedded_text.jsonl")
_LIBRARIES = ("torch", "transformers", "tokenizers")
_NOT_IN_WEIGHTS = frozenset(
    {
        "dtype", "quantization", "double_quant", "compute_dtype", "cache", "threads",
        "add_tokens", "add_tokens_from",
    }
)  # fmt: skip


def checkpoint(options: Options) -> Checkpoint:
    """Return where a model of these options is, built or not, and its name."""
    name = f"{options.architecture}-{_key(options)[:12]}"
    root = Path(options.cache) if options.cache else user_cache()
    return Checkpoint(folder=root / "embedded" / name, name=f"embedded/{name}")


def ensure(options: Options, say: Callable[[str], None]) -> None:
    """Build the model unless it is there. Two processes may do so at once: one result stays."""
    target = checkpoint(options).folder
    if (target / "config.json").is_file():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
    except OSError as error:
        raise MachineError(
            f"the embedded model cannot be kept: {error.strerror}",
            help="give another folder with the option cache",
            place=str(target.parent),
        ) from error
    try:
        build(options, work, say)
        _publish(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _publish(work: Path, target: Path) -> None:
    """Give a finished folder its final name, unless another process has just done so."""
    try:
        work.chmod(0o755)
        work.rename(target)
    except OSError as error:
        if not (target / "config.json").is_file():
            raise MachineError(
                f"the embedded model cannot be kept: {error.strerror}", place=str(target)
            ) from error


def build(options: Options, folder: Path, say: Callable[[str], None]) -> None:
    """Write a model in the hub's layout into an empty folder; the same options give the same files."""
    import torch

    from medrecipe_plugins.models._architectures import small_config
    from medrecipe_plugins.models._loading import model_class
    from medrecipe_plugins.models._pretraining import pretrain
    from medrecipe_plugins.models._quiet import quiet_libraries

    texts = bundled_texts()
    say(f"building a small {options.architecture} model (once; it is kept)")
    tokenizer = _tokenizer(options, texts)
    config = small_config(options, tokenizer)
    with quiet_libraries(), _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        module = model_class(config).from_config(config, dtype=torch.float32)
        documents = [_marked(tokenizer, text) for text in texts]
        pretrain(module, documents, steps=options.pretraining_steps, seed=options.seed, say=say)
        module.generation_config.eos_token_id = [
            tokenizer.eos_token_id,
            tokenizer.convert_tokens_to_ids("<end_of_turn>"),
        ]
        module.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread inside: sums come out alike on any number of cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def configuration(options: Options) -> tuple[Any, int]:
    """Return the configuration that a model of these options has, without building it, and its tokens."""
    from medrecipe_plugins.models._architectures import small_config

    tokenizer = _tokenizer(options, bundled_texts())
    return small_config(options, tokenizer), len(tokenizer)


def bundled_texts() -> list[str]:
    """Return the bundled documents; a dialogue also as turns of the chat template."""
    with _TEXT.open(encoding="utf-8") as lines:
        texts = [str(json.loads(line)["text"]) for line in lines if line.strip()]
    return texts + [turns for turns in map(_as_turns, texts) if turns]


def _as_turns(text: str) -> str:
    """Return a ``Human: … Assistant: …`` document in the chat template's form, "" for other documents."""
    if not text.startswith("Human: ") or text.count("\nAssistant: ") != 1:
        return ""
    question, _, answer = text.removeprefix("Human: ").partition("\nAssistant: ")
    return f"<start_of_turn>user\n{question}<end_of_turn>\n<start_of_turn>model\n{answer}<end_of_turn>\n"


def _tokenizer(options: Options, texts: Sequence[str]) -> Any:
    from medrecipe_plugins.models._tokenizer import learn_tokenizer

    return learn_tokenizer(texts, options.vocabulary, options.max_positions)


def _marked(tokenizer: Any, text: str) -> list[int]:
    ids = tokenizer(text, add_special_tokens=False).input_ids
    return [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]


def _key(options: Options) -> str:
    """Return the hash of everything that shapes the weights."""
    shaping = {f.name: getattr(options, f.name) for f in fields(options) if f.name not in _NOT_IN_WEIGHTS}
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    text = hashlib.sha256(_TEXT.read_bytes()).hexdigest()
    content = json.dumps([BUILDER, shaping, versions, text], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
