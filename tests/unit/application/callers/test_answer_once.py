"""One key, one carrying out: repetitions, other requests, and requests at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app.application.callers.answer_once import Answer, AnswerOnce, KeptAnswer, KeyInUse, KeyReused
from app.domain.errors import Transient

CREATED = Answer(201, (), b"made")


class Answers:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], KeptAnswer] = {}
        self.fails = False

    def find(self, caller: str, key: str) -> KeptAnswer | None:
        return self.kept.get((caller, key))

    def keep(self, caller: str, key: str, kept: KeptAnswer) -> None:
        if self.fails:
            raise Transient("The disk is full.")
        self.kept[caller, key] = kept


class Request:
    def __init__(self, answer: Answer | Exception = CREATED) -> None:
        self.answer = answer
        self.times = 0

    async def __call__(self) -> Answer:
        self.times += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def at_once(work: Callable[[], Any]) -> Any:
    return work()


def ask(
    once: AnswerOnce, request: Any, caller: str = "c", key: str = "k", fingerprint: bytes = b"f"
) -> tuple[Answer, bool]:
    return asyncio.run(once(caller, key, fingerprint, request, at_once))


def test_a_repetition_gets_the_first_answer_and_is_not_carried_out() -> None:
    once, request = AnswerOnce(Answers()), Request()
    assert ask(once, request) == (CREATED, False)
    assert ask(once, request) == (CREATED, True)
    assert request.times == 1


def test_another_caller_or_another_key_is_another_request() -> None:
    once, request = AnswerOnce(Answers()), Request()
    for caller, key in (("c", "k"), ("d", "k"), ("c", "l")):
        assert ask(once, request, caller, key) == (CREATED, False)
    assert request.times == 3


def test_a_key_that_comes_with_another_request_is_refused() -> None:
    once, request = AnswerOnce(Answers()), Request()
    ask(once, request)
    with pytest.raises(KeyReused):
        ask(once, request, fingerprint=b"other")
    assert request.times == 1


def test_a_repetition_while_the_first_is_under_way_is_refused_and_not_carried_out() -> None:
    once, carried_out = AnswerOnce(Answers()), []

    async def both() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow() -> Answer:
            carried_out.append(1)
            begun.set()
            await go_on.wait()
            return CREATED

        first = asyncio.ensure_future(once("c", "k", b"f", slow, at_once))
        await begun.wait()
        with pytest.raises(KeyInUse):
            await once("c", "k", b"f", slow, at_once)
        go_on.set()
        assert await first == (CREATED, False)
        assert await once("c", "k", b"f", slow, at_once) == (CREATED, True)

    asyncio.run(both())
    assert carried_out == [1]


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_refusal_is_an_answer_too(status: int) -> None:
    once, request = AnswerOnce(Answers()), Request(Answer(status, (), b"no"))
    ask(once, request)
    assert ask(once, request) == (request.answer, True)


@pytest.mark.parametrize("failure", [Answer(500, (), b""), Answer(503, (), b""), OSError("gone")])
def test_after_a_failure_the_key_is_free_again(failure: Any) -> None:
    once = AnswerOnce(Answers())
    if isinstance(failure, Exception):
        with pytest.raises(type(failure)):
            ask(once, Request(failure))
    else:
        assert ask(once, Request(failure)) == (failure, False)
    assert ask(once, Request()) == (CREATED, False)


def test_what_is_done_is_told_though_the_answer_cannot_be_kept() -> None:
    answers = Answers()
    answers.fails = True
    assert ask(AnswerOnce(answers), Request()) == (CREATED, False)
