"""Results of fixtures as JUnit XML, which continuous integration shows test by test."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from junitparser import Failure, JUnitXml, TestCase, TestSuite

from app.application.invoking.run_fixtures import FixtureResult
from app.domain.errors import Rejected


def write_junit(results: Sequence[FixtureResult], file: Path) -> None:
    """Write a suite for each hook; raise ``Rejected`` if the file cannot be written."""
    document = JUnitXml("hookledger")
    for hook, of_hook in groupby(results, key=lambda result: result.hook):
        suite = TestSuite(hook)
        for result in of_hook:
            suite.add_testcase(_case(result))
        document.add_testsuite(suite)
    try:
        document.write(str(file), pretty=True)
    except OSError as error:
        raise Rejected(f"The results cannot be written to {file}: {error.strerror}.") from error


def _case(result: FixtureResult) -> TestCase:
    case = TestCase(result.fixture.name, classname=result.hook, time=result.seconds)
    case.result = [Failure(_printable(failure)) for failure in result.failures]
    case.system_out = _printable("\n".join(result.logs))
    return case


def _printable(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
