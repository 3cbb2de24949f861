"""The provider ``causal_lm``: a language model from the hub or from a local folder."""

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
    Precision,
    Provider,
    Sample,
    hookimpl,
    option,
)

if TYPE_CHECKING:
    from medrecipe_plugins.models._checkpoint import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A causal language model with safetensors weights, as it is (16 or 32 bits) or quantised at loading."""

    name: str | None = option(
        None, doc="its name on the hub (google/medgemma-4b-it), or a path that starts with / ./ ../ ~"
    )
    folder: str | None = option(None, path=True, doc="a local folder in the hub's layout, instead of a name")
    revision: str = option("main", doc="branch, tag or commit on the hub")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto",
        doc="number format of the weights; auto is bfloat16 where the device is faster in it",
        known_as=("torch_dtype",),
    )
    quantization: Literal["nf4", "fp4", "int8"] | None = option(
        None, doc="keep the linear layers in 4 or 8 bits (bitsandbytes); nothing is merged into such a base"
    )
    double_quant: bool | None = option(
        None, doc="quantise the scales of 4-bit weights too; true unless written otherwise"
    )
    compute_dtype: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto", doc="number format in which 4-bit weights are multiplied; auto is that of the other weights"
    )
    attn_implementation: Literal["auto", "sdpa", "eager", "flash_attention_2"] = option(
        "auto", doc="how attention is computed, as transformers names it; auto: sdpa where the model has it"
    )
    add_tokens: tuple[str, ...] = option(
        (), doc="tokens that its vocabulary gets; their rows start as the mean of their old pieces' rows"
    )
    add_tokens_from: str | None = option(
        None, path=True, doc="a text file (UTF-8) of such tokens, one a line, after those of add_tokens"
    )
    offline: bool = option(default=False, doc="never reach for the hub: use what this machine has")


@dataclass(frozen=True, slots=True, kw_only=True)
class CausalLM:
    """A base that lies in a folder. See ``pipeline_dsl.api.Model``."""

    options: Options

    @property
    def quantisation(self) -> str:
        """``nf4``, ``fp4``, ``int8`` or ""."""
        return self.options.quantization or ""

    def layers(self) -> tuple[str, ...] | None:
        """Return the names of its linear layers; None where they cannot be known without its files."""
        return _layers.layers_of(_layers.architecture_of(self.options.name, self.options.folder))

    def device(self, wanted: str) -> str:
        """Return ``cpu`` or ``cuda:N``, or raise MachineError where it is not there."""
        from medrecipe_plugins.models import _machine

        return _machine.choose_device(wanted)

    def prepare(self, say: Callable[[str], None]) -> None:
        """Fetch the files if need be and check them, or raise ModelError."""
        from medrecipe_plugins.models import _causal_lm, _checkpoint

        self._added_tokens()
        _quantisation.require(_quantisation.asked(self.options))
        _checkpoint.verify(
            _causal_lm.locate(self.options, say), self.options.dtype, self.options.compute_dtype
        )

    def precision(self, device: str) -> Precision:
        """Return the number format of its weights on a device, or raise MachineError."""
        from medrecipe_plugins.models import _machine

        return _machine.choose_precision(self.options.dtype, device)

    def identity(self, device: str) -> ModelIdentity:
        """Return what makes it this base; after ``prepare``."""
        from medrecipe_plugins.models import _loading

        return _loading.identity(
            self._checkpoint(),
            device,
            dtype=self.options.dtype,
            quantisation=_quantisation.asked(self.options),
        )

    def shape(self) -> ModelShape:
        """Return its module shapes: from its configuration, or as published where its files are not here."""
        from medrecipe_plugins.models import _known_models, _shape

        try:
            return _shape.shape_of(self._checkpoint())
        except ModelError as error:
            known = None
            if error.code == "MR451":
                known = _known_models.known_shape(self.options.name, added=len(self._added_tokens()))
            if known is None:
                raise
            return known

    def count_tokens(self, samples: Sequence[Sample]) -> int:
        """Number of tokens that training on these samples reads; after ``prepare``."""
        from medrecipe_plugins.models import _loading

        return _loading.count_tokens(self._checkpoint(), samples)

    def fertility(self, samples: Sequence[Sample]) -> Fertility | None:
        """Tokens that these samples become with and without the added tokens; after ``prepare``."""
        from medrecipe_plugins.models import _loading

        return _loading.fertility(self._checkpoint(), samples)

    def licence(self) -> Licence | None:
        """Return under what terms it may be used; after ``prepare``."""
        from medrecipe_plugins.models import _licence

        return _licence.licence_of(self._checkpoint())

    def load(self, request: LoadRequest) -> LanguageModel:
        """Load it, or raise ModelError or MachineError."""
        from medrecipe_plugins.models import _loading

        wanted = self.options.attn_implementation
        return _loading.load(
            self._checkpoint(),
            request,
            dtype=self.options.dtype,
            attention=None if wanted == "auto" else wanted,
            quantisation=_quantisation.asked(self.options),
        )

    def _checkpoint(self) -> Checkpoint:
        from medrecipe_plugins.models import _causal_lm

        return replace(_causal_lm.locate(self.options, None), added_tokens=self._added_tokens())

    def _added_tokens(self) -> tuple[str, ...]:
        return _extension.tokens_of(self.options.add_tokens, self.options.add_tokens_from)


def _refuse_half_gemma(options: Options) -> None:
    """Refuse Gemma 3 in float16 as soon as both are known, before anything is fetched."""
    for name in ("dtype", "compute_dtype"):
        if getattr(options, name) == "float16":
            architecture = _layers.architecture_of(options.name, options.folder)
            if (architecture or "").startswith("gemma3"):
                model = options.name or options.folder
                raise ModelError(
                    f"{model} is a Gemma 3 model, whose activations overflow float16",
                    help=f"write {name}: bfloat16, or float32 where the machine lacks bfloat16",
                    code="MR455",
                    place=name,
                )


def _causal_lm_of(options: Options) -> CausalLM:
    _refuse_half_gemma(options)
    _quantisation.asked(options)
    _extension.tokens_of(options.add_tokens)
    return CausalLM(options=options)


@hookimpl
def medrecipe_models() -> Sequence[Provider]:
    """Offer ``causal_lm``."""
    return [
        Provider(
            name="causal_lm",
            summary="a causal language model from the Hugging Face hub or a local folder",
            factory=_causal_lm_of,
            options=Options,
        )
    ]
