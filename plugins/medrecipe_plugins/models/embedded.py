"""The provider ``embedded``: a small model of a real architecture, built here without a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from medrecipe_plugins.models import _extension, _layers, _quantisation
from pipeline_dsl.api import (
    Fertility,
    LanguageModel,
    Licence,
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
    """A small model with its own tokenizer, shortly pretrained on bundled Korean and English text."""

    architecture: Literal["gemma3", "gemma3_multimodal", "llama", "phi3", "phi"] = option(
        "gemma3", doc="the architecture, whose real code of transformers runs"
    )
    layers: int = option(4, ge=1, le=64, doc="transformer blocks")
    width: int = option(192, ge=16, le=4096, doc="size of the hidden state, a multiple of twice the heads")
    heads: int = option(4, ge=1, le=64, doc="attention heads")
    kv_heads: int = option(2, ge=1, le=64, doc="key and value heads, a divisor of heads")
    mlp_width: int = option(576, ge=16, le=16384, doc="inner size of the feed-forward blocks")
    vocabulary: int = option(4096, ge=320, le=65536, doc="most tokens that its tokenizer may learn")
    max_positions: int = option(1024, ge=32, le=32768, doc="longest sequence in tokens")
    seed: int = option(0, ge=0, doc="seed of the first weights and of the order of the text")
    pretraining_steps: int = option(160, ge=0, doc="optimizer steps on the bundled text")
    add_tokens: tuple[str, ...] = option(
        (), doc="tokens that its vocabulary gets; their rows start as the mean of their old pieces' rows"
    )
    add_tokens_from: str | None = option(
        None, path=True, doc="a text file (UTF-8) of such tokens, one a line, after those of add_tokens"
    )
    dtype: Literal["float32", "bfloat16"] = option("float32", doc="number format in which it is loaded")
    quantization: Literal["nf4", "fp4", "int8"] | None = option(
        None, doc="keep the linear layers in 4 or 8 bits (bitsandbytes); nothing is merged into such a base"
    )
    double_quant: bool | None = option(
        None, doc="quantise the scales of 4-bit weights too; true unless written otherwise"
    )
    compute_dtype: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto", doc="number format in which 4-bit weights are multiplied; auto is that of the other weights"
    )
    threads: int = option(
        1, ge=0, doc="CPU threads; so small a model gains nothing from more; 0: torch's own choice"
    )
    cache: str | None = option(
        None, path=True, doc="folder that keeps it; else medrecipe's in the user's cache"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A base that is built once and then loaded as any local model. See ``pipeline_dsl.api.Model``."""

    options: Options

    @property
    def quantisation(self) -> str:
        """``nf4``, ``fp4``, ``int8`` or ""."""
        return self.options.quantization or ""

    def layers(self) -> tuple[str, ...] | None:
        """Return the names of its linear layers."""
        kind = self.options.architecture
        return _layers.layers_of({"gemma3": "gemma3_text", "gemma3_multimodal": "gemma3"}.get(kind, kind))

    def device(self, wanted: str) -> str:
        """Return ``cpu`` or ``cuda:N``, or raise MachineError where it is not there."""
        from medrecipe_plugins.models import _machine

        return _machine.choose_device(wanted)

    def prepare(self, say: Callable[[str], None]) -> None:
        """Build it, unless it is in the cache."""
        from medrecipe_plugins.models import _checkpoint, _embedded

        _quantisation.require(_quantisation.asked(self.options))
        checkpoint = self._checkpoint()
        _embedded.ensure(self.options, say)
        _checkpoint.verify(checkpoint, self.options.dtype, self.options.compute_dtype)

    def identity(self, device: str) -> ModelIdentity:
        """Return what makes it this base; after ``prepare``."""
        from medrecipe_plugins.models import _loading

        checkpoint = self._checkpoint()
        if not (checkpoint.folder / "config.json").is_file():
            message = "the embedded model is not built yet"
            raise ModelError(message, help="the first run builds it", code="MR451")
        return _loading.identity(
            checkpoint, device, dtype=self.options.dtype, quantisation=_quantisation.asked(self.options)
        )

    def shape(self) -> ModelShape:
        """Return its module shapes; it need not be built."""
        from medrecipe_plugins.models import _embedded, _shape

        checkpoint = self._checkpoint()
        if (checkpoint.folder / "config.json").is_file():
            return _shape.shape_of(checkpoint)
        config, tokens = _embedded.configuration(self.options)
        return _shape.shape_of_config(config, added=len(checkpoint.added_tokens), tokens=tokens)

    def count_tokens(self, samples: Sequence[Sample]) -> int:
        """Number of tokens that training on these samples reads; after ``prepare``."""
        from medrecipe_plugins.models import _loading

        return _loading.count_tokens(self._checkpoint(), samples)

    def fertility(self, samples: Sequence[Sample]) -> Fertility | None:
        """Tokens that these samples become with and without the added tokens; after ``prepare``."""
        from medrecipe_plugins.models import _loading

        return _loading.fertility(self._checkpoint(), samples)

    def licence(self) -> Licence:
        """Return the licence of this project, for whose tests its text was written."""
        from medrecipe_plugins.models import _licence

        return _licence.BUILT_HERE

    def load(self, request: LoadRequest) -> LanguageModel:
        """Load it as ``causal_lm`` loads a local folder."""
        from medrecipe_plugins.models import _loading, _machine

        _machine.choose_threads(self.options.threads)
        return _loading.load(
            self._checkpoint(),
            request,
            dtype=self.options.dtype,
            attention="sdpa",
            quantisation=_quantisation.asked(self.options),
        )

    def _checkpoint(self) -> Checkpoint:
        from medrecipe_plugins.models import _embedded

        added = _extension.tokens_of(self.options.add_tokens, self.options.add_tokens_from)
        return replace(_embedded.checkpoint(self.options), added_tokens=added)


def _embedded_of(options: Options) -> Embedded:
    _quantisation.asked(options)
    _extension.tokens_of(options.add_tokens)
    return Embedded(options=options)


@hookimpl
def medrecipe_models() -> Sequence[Provider]:
    """Offer ``embedded``."""
    return [
        Provider(
            name="embedded",
            summary="a small model of a real architecture, built here in under a minute; for tests and tours",
            factory=_embedded_of,
            options=Options,
        )
    ]
