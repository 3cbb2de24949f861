"""The embedded models' tokenizer: byte-level BPE learned from the bundled text, with turns like Gemma's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

PAD, EOS, BOS, TURN, TURN_END = "<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"
_SPECIAL = (PAD, EOS, BOS, TURN, TURN_END)

CHAT_TEMPLATE = """\
{{ bos_token }}{% set ns = namespace(system='') %}\
{% for m in messages %}\
{% if m['role'] == 'system' %}{% set ns.system = ns.system + m['content'] + '\\n\\n' %}\
{% else %}\
<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}
{% if m['role'] == 'user' %}{{ ns.system }}{% set ns.system = '' %}{% endif %}\
{{ m['content'] | trim }}<end_of_turn>
{% endif %}\
{% endfor %}\
{% if add_generation_prompt %}<start_of_turn>model
{% endif %}"""


def learn_tokenizer(texts: Sequence[str], vocabulary: int, max_positions: int) -> Any:
    """Learn a tokenizer of at most ``vocabulary`` tokens; the same texts give the same one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        bos_token=BOS,
        additional_special_tokens=[TURN, TURN_END],
        chat_template=CHAT_TEMPLATE,
        model_max_length=max_positions,
        clean_up_tokenization_spaces=False,
    )
