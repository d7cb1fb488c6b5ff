"""A bar for the stages of a sync, on standard error, where somebody looks."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.application.syncing.progress import SyncStage
from app.cli.output import errors
from app.domain.documents.packages import PackageSet

_STAGES = list(SyncStage)


class SyncProgress:
    """Shows which stage a sync is in, and how much there is to do; gone when it is over."""

    def __init__(self, *, shown: bool) -> None:
        self._progress = Progress(
            BarColumn(bar_width=20),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=errors,
            transient=True,
            disable=not (shown and errors.is_terminal),
        )
        self._bar = self._progress.add_task("starting", total=len(_STAGES))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def begin(self, stage: SyncStage, count: int) -> None:
        """Tell of a stage that begins."""
        told = f"{stage} ({count:,})" if count else str(stage)
        self._progress.update(self._bar, description=told, completed=_STAGES.index(stage))

    def installing(self, number: int, total: int, packages: PackageSet) -> None:
        """Tell of packages that are being installed."""
        told = f"installing packages {number}/{total}: {packages}"
        self._progress.update(self._bar, description=told)
