"""``continue``: a phase that goes on with an adapter of an earlier one, alone or beside a new one."""

from __future__ import annotations

import json

import pytest

from pipeline_dsl.api import ModelError
from pipeline_dsl.plan.plan_json import from_json
from pipeline_dsl.run import manifest
from pipeline_dsl.run.folder import RunFolder


@pytest.fixture
def chain(recipe) -> str:
    """Three phases: the second goes on with the first one's adapter, the third merges what came of it."""
    return recipe.replace("a, merge\n            b, train", "a, continue", 1).replace(
        "            a, merge\n            b, merge\n", "            a, merge\n"
    )


@pytest.fixture
def pair(recipe) -> str:
    """The second phase goes on with one adapter and makes another beside it; the third merges both."""
    return recipe.replace("a, merge\n            b, train", "a, continue\n            b, train", 1)


def opened(folder):
    run = RunFolder(folder)
    return from_json(run.read_json("plan.json")), run


def table(folder) -> dict[str, float]:
    return json.loads((folder / "adapter.json").read_text("utf-8"))["table"]


def test_it_goes_on_from_the_weights_that_the_earlier_phase_left(workshop, chain):
    run = workshop.run(chain)
    first, second = (table(run.folder / "phases" / p / "adapter") for p in ("first", "second"))
    assert first == {f"ones {n}": 2.0 for n in range(3)}
    assert second == first | {f"twos {n}": 2.0 for n in range(4)}


def test_later_phases_stand_on_what_it_became(workshop, chain):
    plan, run = opened(workshop.run(chain).folder)
    (parent,) = manifest.verify(plan, plan.phase("third"), "c", run)["parents"]
    second = manifest.verify(plan, plan.phase("second"), "a", run)
    assert (parent["phase"], parent["sha256"]) == ("second", second["sha256"])
    (origin,) = second["parents"]
    first = manifest.verify(plan, plan.phase("first"), "a", run)
    assert (origin["role"], origin["phase"], origin["sha256"]) == ("continue", "first", first["sha256"])
    assert second["together"] == []


def test_two_adapters_of_a_phase_know_of_each_other(workshop, pair):
    plan, run = opened(workshop.run(pair).folder)
    phase = plan.phase("second")
    for name, other, role in (("a", "b", "train"), ("b", "a", "continue")):
        found = manifest.verify(plan, phase, name, run)
        assert found["together"] == [{"adapter": other, "role": role, "folder": f"../adapter-{other}"}]
        assert (manifest.adapter_folder(run, phase, name) / found["together"][0]["folder"]).resolve().is_dir()
        assert [(p["adapter"], p["role"]) for p in found["parents"]] == [("a", "continue")]


@pytest.mark.parametrize("which", ["chain", "pair"])
@pytest.mark.parametrize("step", [3, 6])
def test_it_is_resumed_to_the_same_bytes(workshop, which, step, request, with_train):
    once = workshop.folder / "once"
    text = with_train("second", request.getfixturevalue(which), signal_at=step, save_steps=2, once=str(once))
    cut = workshop.run(text)
    assert cut.status == "interrupted"
    assert workshop.run(text, resume=cut.id).status == "finished"
    undisturbed = workshop.run(text, fresh=True)
    for adapter in cut.folder.glob("phases/*/adapter*/adapter.json"):
        place = adapter.relative_to(cut.folder)
        assert adapter.read_bytes() == (undisturbed.folder / place).read_bytes(), place


@pytest.mark.parametrize("which", ["chain", "pair"])
def test_it_is_taken_over_by_a_later_run(workshop, which, request):
    text = request.getfixturevalue(which)
    first = workshop.run(text)
    again = workshop.run(text)
    assert [workshop.phase(p)["status"] for p in ("first", "second", "third")] == ["reused"] * 3
    plan, run = opened(again.folder)
    for name in plan.phase("second").trained:
        assert manifest.verify(plan, plan.phase("second"), name, run)["phase"] == "second"
    assert first.id != again.id


def test_one_that_went_on_from_other_weights_is_found(workshop, chain, with_train):
    plan, run = opened(workshop.run(chain).folder)
    other = workshop.run(with_train("first", chain, epochs=3)).folder / "phases" / "first" / "adapter"
    own = run.adapter("first", "a")
    described = json.loads((other / "stack.json").read_text("utf-8"))
    described["fingerprint"] = plan.phase("first").fingerprint
    for file in own.iterdir():
        file.write_bytes((other / file.name).read_bytes())
    (own / "stack.json").write_text(json.dumps(described))
    manifest.verify(plan, plan.phase("first"), "a", run)
    with pytest.raises(ModelError, match="was trained on other adapters"):
        manifest.verify(plan, plan.phase("second"), "a", run)


def test_when_the_earlier_phase_changes_so_does_the_later(workshop, chain, with_train):
    workshop.run(chain)
    workshop.run(with_train("first", chain, epochs=3))
    assert [workshop.phase(p)["status"] for p in ("first", "second", "third")] == ["finished"] * 3
