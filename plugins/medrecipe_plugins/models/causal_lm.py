"""The provider ``causal_lm``: a language model from the hub or from a local folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline_dsl.api import (
    LanguageModel,
    LoadRequest,
    ModelError,
    ModelIdentity,
    ModelShape,
    Provider,
    Sample,
    hookimpl,
    option,
)

if TYPE_CHECKING:
    from medrecipe_plugins.models._checkpoint import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A causal language model with safetensors weights, as it is (16 or 32 bits)."""

    name: str | None = option(
        None, doc="its name on the hub (google/medgemma-4b-it), or a path that starts with / ./ ../ ~"
    )
    folder: str | None = option(None, path=True, doc="a local folder in the hub's layout, instead of a name")
    revision: str = option("main", doc="branch, tag or commit on the hub")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto", doc="number format of the weights; auto is bfloat16 on a GPU that has it, else float32"
    )
    attn_implementation: Literal["sdpa", "eager", "flash_attention_2"] = option(
        "sdpa", doc="how attention is computed, as transformers names it"
    )
    offline: bool = option(default=False, doc="never reach for the hub: use what this machine has")


@dataclass(frozen=True, slots=True, kw_only=True)
class CausalLM:
    """A base that lies in a folder. See ``pipeline_dsl.api.Model``."""

    options: Options

    def prepare(self, say: Callable[[str], None]) -> None:
        """Fetch the files if need be and check them, or raise ModelError."""
        from medrecipe_plugins.models import _causal_lm, _checkpoint

        _checkpoint.verify(_causal_lm.locate(self.options, say), self.options.dtype)

    def identity(self) -> ModelIdentity:
        """Return what makes it this base; after ``prepare``."""
        from medrecipe_plugins.models import _checkpoint

        return _checkpoint.identity(self._checkpoint())

    def shape(self) -> ModelShape:
        """Return its module shapes: from its configuration, or as published where its files are not here."""
        from medrecipe_plugins.models import _known_models, _shape

        try:
            return _shape.shape_of(self._checkpoint())
        except ModelError as error:
            known = _known_models.known_shape(self.options.name) if error.code == "MR451" else None
            if known is None:
                raise
            return known

    def count_tokens(self, samples: Sequence[Sample]) -> int:
        """Number of tokens that training on these samples reads; after ``prepare``."""
        from medrecipe_plugins.models import _loading

        return _loading.count_tokens(self._checkpoint(), samples)

    def load(self, request: LoadRequest) -> LanguageModel:
        """Load it, or raise ModelError or MachineError."""
        from medrecipe_plugins.models import _loading

        return _loading.load(
            self._checkpoint(), request, dtype=self.options.dtype, attention=self.options.attn_implementation
        )

    def _checkpoint(self) -> Checkpoint:
        from medrecipe_plugins.models import _causal_lm

        return _causal_lm.locate(self.options, None)


@hookimpl
def medrecipe_models() -> Sequence[Provider]:
    """Offer ``causal_lm``."""
    return [
        Provider(
            name="causal_lm",
            summary="a causal language model from the Hugging Face hub or a local folder",
            factory=lambda options: CausalLM(options=options),
            options=Options,
        )
    ]
