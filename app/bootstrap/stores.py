"""What a server keeps beside the events, opened together: journal, queue, keys, people, answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from app.answers.sqlite import SqliteAnswers
from app.application.callers.sign_in import SignIn
from app.application.history.issue_checkpoints import HistoryProver
from app.application.history.verifications import VerificationDesk
from app.bootstrap.observation import Observation, open_observation
from app.bootstrap.people import open_sign_in
from app.bootstrap.storage import Storage, open_answers, open_queue
from app.bootstrap.tokens import open_signing_keys
from app.bootstrap.transparency import open_prover, open_verifications
from app.queue.sqlite import SqliteQueue
from app.vault.signing_keys import SigningKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Open until the server has stopped."""

    observed: Observation
    queue: SqliteQueue
    signing: SigningKeys
    sign_in: SignIn
    answers: SqliteAnswers
    prover: HistoryProver
    verifications: VerificationDesk


@contextlib.contextmanager
def open_stores(storage: Storage, registry: CollectorRegistry) -> Iterator[Stores]:
    """Open all of them; what the journal was told is stored on exit."""
    settings = storage.settings
    with (
        open_observation(storage, registry) as observed,
        open_queue(settings, storage.vault) as queue,
        open_signing_keys(settings, storage.vault) as signing,
        open_sign_in(settings) as sign_in,
        open_answers(settings, storage.vault) as answers,
        open_prover(storage) as prover,
        open_verifications(settings) as verifications,
    ):
        yield Stores(
            observed=observed,
            queue=queue,
            signing=signing,
            sign_in=sign_in,
            answers=answers,
            prover=prover,
            verifications=verifications,
        )
