"""When hooks may run, and what is said when they may not."""

from __future__ import annotations

import pytest

from app.domain.errors import Stalled
from app.runtime.inside.node_program import NodeProgram
from app.runtime.isolation import (
    DATA_DIRECTORY,
    NODE,
    LayerReport,
    Policy,
    demand,
    level_of,
    missing,
    plan_for,
    why_not,
)

ALL = (
    "no-new-privileges", "seccomp", "landlock", "memory", "uid", "processes",
    "process descriptors", "pid namespace", "mount namespace", "network namespace",
    "ipc namespace", "uts namespace", "standard library",
)  # fmt: skip
NAMESPACES = tuple(name for name in ALL if name.endswith(" namespace"))


def reports(*without: str) -> tuple[LayerReport, ...]:
    return tuple(
        LayerReport(name, in_force=False, why_not=f"{name} was refused", remedy=f"Grant {name}.")
        if name in without
        else LayerReport(name, in_force=True)
        for name in ALL
    )


def test_everything_in_force_is_full_isolation() -> None:
    assert level_of(reports()) == "full"
    assert level_of(reports("processes", "standard library")) == "full"


def test_without_namespaces_it_is_what_a_container_offers() -> None:
    assert level_of(reports(*NAMESPACES)) == "container"
    assert level_of(reports("network namespace")) == "container"


def test_files_are_kept_away_by_landlock_or_by_a_mount_namespace() -> None:
    assert level_of(reports("landlock")) == "container"
    assert level_of(reports("mount namespace")) == "container"
    assert level_of(reports("landlock", "mount namespace")) == "insufficient"


@pytest.mark.parametrize(
    "layer", ["seccomp", "memory", "uid", "no-new-privileges", "process descriptors"]
)
def test_some_layers_nothing_can_stand_in_for(layer: str) -> None:
    assert level_of(reports(layer)) == "insufficient"
    with pytest.raises(Stalled) as stalled:
        demand("required", reports(layer))
    (problem,) = stalled.value.problems
    assert problem.key == layer
    assert problem.message == f"{layer} was refused. Grant {layer}."


def test_all_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(Stalled) as stalled:
        demand("required", reports("seccomp", "landlock", "mount namespace"))
    assert [problem.key for problem in stalled.value.problems] == ["seccomp", "landlock"]
    assert "best-effort" in str(stalled.value)


def test_best_effort_serves_with_less_but_never_as_root() -> None:
    demand("best-effort", reports("seccomp", "landlock", "mount namespace", "memory"))
    for layer in ("uid", "process descriptors"):
        with pytest.raises(Stalled):
            demand("best-effort", reports("seccomp", layer))


def test_a_layer_that_was_never_tried_counts_as_missing() -> None:
    assert {problem.key for problem in missing(())} >= {"seccomp", "landlock", "memory", "uid"}


def test_every_layer_that_works_is_used() -> None:
    plan = plan_for(reports("landlock", "uts namespace"))
    assert plan.namespaces == ("pid", "mount", "network", "ipc")
    assert (plan.landlock, plan.seccomp) == (False, True)


def test_node_is_used_only_where_it_ran_confined() -> None:
    program = NodeProgram("/usr/bin/node", ("/lib/libc.so.6",), "20.0.0")
    works = (*reports(), LayerReport(NODE, in_force=True))
    fails = (*reports(), LayerReport(NODE, in_force=False, why_not="It ended", remedy="Mend it."))
    assert plan_for(works, node=program).node == program
    assert plan_for(fails, node=program).node is None
    assert plan_for(works, node="There is no Node.js.").node is None
    assert why_not("node", works) == ""
    assert why_not("node", fails) == "Node.js hooks cannot run here. It ended. Mend it."
    assert why_not("node", reports()) != ""
    assert why_not("python", fails) == ""
    assert level_of(fails) == "full"


@pytest.mark.parametrize("policy", ["required", "best-effort"])
def test_nothing_runs_where_hooks_could_read_the_servers_data(policy: Policy) -> None:
    apart = LayerReport(DATA_DIRECTORY, in_force=True)
    below = LayerReport(DATA_DIRECTORY, in_force=False, why_not="hooks may read /", remedy="Move.")
    demand(policy, (*reports(), apart))
    with pytest.raises(Stalled) as stalled:
        demand(policy, (*reports(), below))
    assert [problem.key for problem in stalled.value.problems] == [DATA_DIRECTORY]
