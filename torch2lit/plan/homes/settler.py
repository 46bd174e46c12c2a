"""Finding a home for every variable of a nest, in the order in which the kinds of homes depend on each other."""

from __future__ import annotations

from ..closures import check_definitions, kept_captures
from ..compared import compared_by_elements
from ..draft import (
    BATCH_END,
    TRAINING_STEP,
    Draft,
)
from ..optimizers import Configured
from ..parameters import take_fixed_parameters
from ..state import State
from .starts import Starts
from .step_outputs import is_handed_on


def settle(draft: Draft, configured: Configured) -> State:
    """Find a home for every variable of the nest."""
    return _Settler(draft, configured).run()


class _Settler(Starts):
    def run(self) -> State:
        self.fixed = take_fixed_parameters(self.draft)
        self.place_class()
        self.measure()
        check_definitions(self.draft, self.names_after())
        self.kept = kept_captures(self.draft)
        assigned = set().union(*self.written.values()) if self.written else set()
        mentioned = assigned.union(*self.read.values()) if self.read else assigned
        order = self.order(mentioned)
        promoted = [v for v in order if v in assigned and self.must_live_on(v)]
        handed_on = [v for v in promoted if is_handed_on(self, v)]
        promoted = [v for v in promoted if v not in handed_on]
        outer = [v for v in order if v not in assigned]
        self.name_attributes(promoted)
        for variable in promoted:
            self.promote(variable)
        for variable in self.by_importance(outer):
            self.give_outer(variable)
        self.give_unmentioned_models(mentioned, assigned)
        self.give_optimizers()
        self.give_contexts()
        self.set_parameters_aside()
        self.give_counters(assigned)
        self.give_batches()
        self.check_static()
        self.part_locals(assigned)
        for variable in handed_on:
            name = self.state.in_hook.get((BATCH_END, variable), variable.name)
            self.prepend(BATCH_END, f'{name} = outputs["loss"]')
        self.divide_among_loaders()
        for variable, (value, frame) in self.fixed.items():
            self.state.homes[variable] = self.text_of(value, frame, TRAINING_STEP)
        self.take_start_values()
        self.name_network_first()
        if self.state.hyperparameters:
            values = [p for p in self.state.parameters if p[0] not in self.handed]
            given = [(parameter, argument) for parameter, _attribute, argument in values]
            self.state.compared = compared_by_elements(self.draft.roles, self.entry.scope, given)
        return self.state
