"""Which triggers there are by now: Auth0's points, and what repositories define."""

from __future__ import annotations

from app.application.views import ActiveTable
from app.domain.triggers.catalogue import CONTRACTS, contract_of, unknown_trigger
from app.domain.triggers.contracts import TriggerContract


def contract_in(table: ActiveTable, trigger: str) -> TriggerContract:
    """Return a trigger's contract; raise ``NotFound`` naming the triggers that exist."""
    row = table.triggers.get(trigger)
    definition = row.definition if row is not None else None
    if definition is None and trigger not in CONTRACTS:
        raise unknown_trigger(trigger, [contract.id for contract in contracts_in(table)])
    return contract_of(trigger, definition)


def contracts_in(table: ActiveTable) -> tuple[TriggerContract, ...]:
    """Return every contract: Auth0's points first, then the others by name."""
    defined = {row.id: row.definition for row in table.triggers.values() if row.definition}
    more = sorted(defined.keys() - CONTRACTS.keys())
    return tuple(contract_of(each, defined.get(each)) for each in (*CONTRACTS, *more))
