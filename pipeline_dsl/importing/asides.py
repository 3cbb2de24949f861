"""Keys of the Trainer's family that a recipe has no word for, or needs none, and what there is instead."""

from __future__ import annotations

from typing import Final

_TRACKING = "each run keeps its history in runs/ (metrics.jsonl, metadata.sdn); other trackers are plugins"
_LOADING = "data are prepared once and kept; there are no workers to set"
_PROCESSES = "a phase trains in one process, on one device"
_HUB = "nothing is pushed: a phase leaves its adapter in the run's folder, readable by stock PEFT"
_SPEED = "changes speed and memory, not what is learned; a recipe has no word for it"
_EVALUATION = "scores are batched by the model's provider"
_FOLDER = "a run writes into runs/PROJECT/RUN/; `project: NAME` names the folder, `--runs DIR` another place"
ASIDES: Final = {
    "output_dir": _FOLDER,
    "logging_dir": _FOLDER,
    "overwrite_output_dir": "each run has a folder of its own",
    "run_name": _TRACKING,
    "report_to": _TRACKING,
    "project": _TRACKING,
    "wandb_*": _TRACKING,
    "swanlab_*": _TRACKING,
    "use_swanlab": _TRACKING,
    "mlflow_*": _TRACKING,
    "comet_*": _TRACKING,
    "trackio_*": _TRACKING,
    "use_wandb": _TRACKING,
    "use_mlflow": _TRACKING,
    "use_comet": _TRACKING,
    "use_tensorboard": _TRACKING,
    "logging_first_step": _TRACKING,
    "logging_strategy": _TRACKING,
    "logging_nan_inf_filter": "a loss that is no number ends the training at once",
    "include_tokens_per_second": _TRACKING,
    "log_level": _TRACKING,
    "disable_tqdm": _TRACKING,
    "plot_loss": "metrics.jsonl of the run has the loss of every step",
    "dataloader_*": _LOADING,
    "dataset_num_proc": _LOADING,
    "dataset_processes": _LOADING,
    "preprocessing_*": _LOADING,
    "overwrite_cache": "prepared data is kept by content and made anew when that changes",
    "dataset_prepared_path": "prepared data is kept in the user's cache, by content",
    "tokenized_path": "prepared data is kept in the user's cache, by content",
    "cache_dir": "models are kept in the hub's own cache (HF_HOME)",
    "ddp*": _PROCESSES,
    "fsdp*": _PROCESSES,
    "deepspeed*": _PROCESSES,
    "local_rank": _PROCESSES,
    "world_size": _PROCESSES,
    "device_map": "`device: auto`, `cpu` or `cuda:N` says where; a model is not spread over devices",
    "push_to_hub": _HUB,
    "hub_*": _HUB,
    "hf_use_auth_token": "log in with `hf auth login`",
    "hf_hub_token": "log in with `hf auth login`, or set HF_TOKEN; a token never stands in a recipe",
    "ms_hub_token": "only the Hugging Face hub is reached",
    "per_device_eval_batch_size": _EVALUATION,
    "eval_batch_size": _EVALUATION,
    "eval_accumulation_steps": _EVALUATION,
    "predict_with_generate": "a task with `exact_match`, `token_f1` or `chrf` generates and scores",
    "compute_accuracy": "a task with its own metric: `medrecipe plugins list`",
    "eval_on_start": "every task is scored before any training",
    "eval_delay": 'every evaluation counts; a condition (`when: "step > 100"`) holds a hook back',
    "prediction_loss_only": "a task says by its metric what is scored",
    "do_train": "a recipe trains",
    "do_eval": "tasks are scored before the first and after every phase",
    "do_predict": "a task scores predictions",
    "tf32": _SPEED,
    "torch_compile*": _SPEED,
    "use_liger_kernel": _SPEED,
    "enable_liger_kernel": _SPEED,
    "liger_*": _SPEED,
    "use_unsloth*": _SPEED,
    "flash_attn_*": _SPEED,
    "activation_offloading": _SPEED,
    "gradient_checkpointing_kwargs": "how activations are computed again is the trainer's to choose",
    "use_reentrant_gc": "how activations are computed again is the trainer's to choose",
    "use_cache": "training keeps no cache",
    "auto_find_batch_size": "out of memory ends a run; choose `batch_size` and `grad_accum`",
    "remove_unused_columns": "a template takes the columns that it names",
    "trust_remote_code": "code of a model or dataset from the hub is never run",
    "resume_from_checkpoint": "`medrecipe run --resume RUN` goes on with a run of its own",
    "auto_resume_from_checkpoints": "`medrecipe run --resume RUN` goes on with a run of its own",
    "save_only_model": "a checkpoint holds what resuming exactly needs; a phase leaves the adapter alone",
    "save_safetensors": "adapters are always written as safetensors",
    "full_determinism": "a run is repeated from its seed; the order of samples is fixed by it",
    "data_seed": "`seed` rules the order of samples too",
    "neftune_noise_alpha": "no noise is put on embeddings",
    "label_smoothing_factor": "the loss is plain cross-entropy",
    "optim_args": "of an optimizer's arguments a recipe has adam_beta1, adam_beta2 and adam_epsilon",
    "lr_scheduler_kwargs": "a schedule has no further arguments",
    "loraplus_*": "A and B learn at one rate",
    "average_tokens_across_devices": _PROCESSES,
    "greater_is_better": "the metric of a task says which way is better",
}
PACKING = "rows are not packed together: each is a sample of its own"
PACKED = (
    "there packed rows fill a sample to its full length; here a sample is one row, so a step of {batch} "
    "samples has fewer tokens: raise `grad_accum` to keep the tokens of a step"
)
