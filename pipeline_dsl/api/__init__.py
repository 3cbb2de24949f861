"""All that a plugin may import. Nothing here imports torch, transformers or peft."""

from pipeline_dsl.api.contracts import (
    Action,
    Adapter,
    Controls,
    Executor,
    LanguageModel,
    Metric,
    Model,
    RunWriter,
    Source,
    Template,
    Tracker,
    Trainer,
    TrainingSet,
    TrainingStream,
    TrainJob,
)
from pipeline_dsl.api.errors import (
    DataError,
    GuardError,
    LockedError,
    MachineError,
    MedrecipeError,
    ModelError,
)
from pipeline_dsl.api.hooks import hookimpl
from pipeline_dsl.api.options import NoOptions, option
from pipeline_dsl.api.providers import Kind, Provider
from pipeline_dsl.api.records import (
    Control,
    Fertility,
    LinearShape,
    LoadRequest,
    Memory,
    MergeProof,
    Message,
    ModelIdentity,
    ModelShape,
    Need,
    NewRows,
    Observation,
    PlacedRow,
    Preparation,
    Prepared,
    Role,
    Row,
    Sample,
    Score,
    StackLayer,
    StackReport,
    TrainOutcome,
)

__all__ = [
    "Action", "Adapter", "Control", "Controls", "DataError", "Executor", "Fertility",
    "GuardError", "Kind",
    "LanguageModel", "LinearShape", "LoadRequest", "LockedError", "MachineError", "MedrecipeError", "Memory",
    "MergeProof", "Message", "Metric", "Model", "ModelError", "ModelIdentity", "ModelShape", "Need",
    "NewRows", "NoOptions", "Observation", "PlacedRow", "Preparation", "Prepared", "Provider", "Role", "Row",
    "RunWriter", "Sample", "Score", "Source", "StackLayer", "StackReport", "Template", "Tracker", "TrainJob",
    "TrainOutcome", "Trainer", "TrainingSet", "TrainingStream", "hookimpl", "option",
]  # fmt: skip
