"""What a model card says of terms of use: those of the base as its makers published them, those of data."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline_dsl.api.contracts import Model
from pipeline_dsl.api.records import Licence
from pipeline_dsl.plan.border import working
from pipeline_dsl.plan.choose import make
from pipeline_dsl.plan.model import Plan
from pipeline_dsl.registry import Catalog
from pipeline_dsl.run.markdown import code, inert, scalar

_OF_THE_HUB = re.compile(
    r"apache-2\.0|mit|bsd(-[\w-]+)?|isc|unlicense|cc0-1\.0|cc-[\w.-]+|[al]?gpl(-[\w.]+)?|mpl-2\.0"
    r"|openrail(\+\+)?"
    r"|(big(science-bloom|science|code)|creativeml)-[\w.-]+|llama2|llama3(\.[123])?|llama4|gemma"
    r"|deepfloyd-if-license|afl-3\.0|artistic-2\.0|ms-pl|wtfpl|zlib"
)
"""Licences that the Hub knows by these names; all others are ``other`` with a name and a link."""
_HAI_DEF = "health-ai-developer-foundations"
_WHO = "whoever passes this on, adapters and merged weights included, to pass on its terms with a notice"
_NOTES = {
    _HAI_DEF: (
        f"The terms of Health AI Developer Foundations ask {_WHO} and to hold recipients to its "
        "restrictions of use; use in the diagnosis or treatment of patients needs the authorisation of "
        "health authorities."
    ),
    "llama": (
        f"Llama's community licence asks {_WHO}, to show “Built with Llama” where people see it and "
        "to begin the model's name with “Llama”; its acceptable use policy holds."
    ),
    "gemma": (f"Gemma's terms ask {_WHO} and to hold recipients to its prohibited use policy."),
    "mit": "The MIT licence asks that its copyright notice stays with copies of the weights.",
    "apache-2.0": "The Apache licence asks that it and its notices stay with copies, and changes are told.",
}
"""By the beginning of a licence's name, what it asks for, in short: the text behind the link decides."""


def licence_of(plan: Plan, catalog: Catalog) -> Licence | None:
    """Return the licence of a run's base; None where nobody said it."""
    model: Model = make(catalog, plan.model)
    ask = getattr(model, "licence", None)
    if ask is None:
        return None
    with working(plan.model, "licence"):
        found: Licence | None = ask()
    return found


def front_matter(licence: Licence | None) -> list[str]:
    """Return the lines of a card's YAML that say the licence; none where it is not known."""
    if licence is None:
        return []
    if _OF_THE_HUB.fullmatch(licence.name):
        return [f"license: {scalar(licence.name)}"]
    link = [f"license_link: {scalar(licence.link)}"] if licence.link else []
    return ["license: other", f"license_name: {scalar(licence.name)}", *link]


def licence_notes(base: str, licence: Licence | None, data: Sequence[str]) -> str:
    """Return the section of a card: the base, what is asked of those who pass this on, each data source."""
    return "\n".join(f"- {line}" for line in [*_of_base(base, licence), *map(_of_data, data)])


def _of_base(base: str, licence: Licence | None) -> list[str]:
    if licence is None:
        unknown = "nobody said here under what terms it may be used; ask its makers before passing this on."
        return [f"The base {code(base)}: {unknown}"]
    link = f", {inert(licence.link)}" if licence.link else ""
    source = f" (source: {inert(licence.source)})" if licence.source else ""
    lines = [f"The base {code(base)}: {code(licence.name)}{link}{source}."]
    lines += [text for name, text in _NOTES.items() if licence.name.lower().startswith(name)]
    return [*lines, "What was trained on a base, adapters too, usually stands under the terms of the base."]


def _of_data(name: str) -> str:
    return (
        f"Data {code(name)}: the recipe does not say under what terms it may be used; ask who gave it before "
        "passing this on."
    )
