"""Rate limits: the arithmetic of a bucket, and what callers are told at the edge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.protocol.rate_limits import Buckets, Rate, RateLimits, address_of, limits_of

TOKEN = "hlt_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


class Time:
    """Both clocks; 1970 was a thousand seconds ago."""

    def __init__(self) -> None:
        self.now = 50.0

    def monotonic(self) -> float:
        return self.now

    def clock(self) -> float:
        return self.now + 950


@pytest.fixture
def time() -> Time:
    return Time()


def buckets(time: Time, burst: int, per_second: float, **options: Any) -> Buckets:
    return Buckets(Rate(burst, per_second), monotonic=time.monotonic, clock=time.clock, **options)


def test_a_burst_passes_and_the_next_one_waits(time: Time) -> None:
    made = buckets(time, 3, 2)
    assert [made.take("a").remaining for _ in range(3)] == [2, 1, 0]
    refused = made.take("a")
    assert (refused.remaining, refused.wait, refused.limit) == (0, 0.5, 3)
    assert made.take("b").wait == 0, "others have buckets of their own"


def test_what_was_taken_comes_back_with_time_and_no_more_than_the_burst(time: Time) -> None:
    made = buckets(time, 3, 2)
    for _ in range(3):
        made.take("a")
    time.now += 0.5
    assert made.take("a").wait == 0
    assert made.take("a").wait > 0
    time.now += 1000
    assert [made.take("a").wait > 0 for _ in range(4)] == [False, False, False, True]


def test_refused_requests_do_not_push_the_end_further_away(time: Time) -> None:
    made = buckets(time, 1, 1)
    made.take("a")
    for _ in range(100):
        made.take("a")
    time.now += 1
    assert made.take("a").wait == 0


def test_reset_is_the_whole_second_of_the_next_token(time: Time) -> None:
    made = buckets(time, 5, 0.1)
    assert made.take("a").reset == 1010
    time.now += 4
    assert made.take("a").reset == 1010
    assert isinstance(made.take("a").reset, int)


def test_the_number_of_buckets_is_bounded_and_the_least_used_goes(time: Time) -> None:
    made = buckets(time, 1, 0.001, max_buckets=3)
    for caller in ("a", "b", "c", "a", "d"):
        made.take(caller)
    assert len(made) == 3
    assert made.take("a").wait > 0, "it was used since"
    for number in range(1000):
        made.take(f"other {number}")
    assert len(made) == 3


@given(
    st.integers(1, 20),
    st.floats(0.1, 100),
    st.lists(st.floats(0, 2), min_size=1, max_size=100),
)
def test_nobody_gets_more_than_burst_and_rate_allow(
    burst: int, per_second: float, pauses: list[float]
) -> None:
    time = Time()
    made = buckets(time, burst, per_second)
    started, passed = time.now, 0
    for pause in pauses:
        time.now += pause
        allowance = made.take("a")
        passed += allowance.wait == 0
        assert 0 <= allowance.remaining < burst or burst == 1
        assert allowance.wait <= 1 / per_second + 1e-6
        assert passed <= burst + (time.now - started) * per_second + 1e-6


def test_a_bucket_is_for_an_address_or_an_ipv6_subscriber() -> None:
    def named(host: str) -> str:
        return address_of({"client": (host, 1)})

    assert named("192.0.2.1") != named("192.0.2.2")
    assert named("2001:db8:1:2::1") == named("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert named("2001:db8:1:3::1") != named("2001:db8:1:2::1")
    assert named("::ffff:192.0.2.1") == "192.0.2.1"
    assert named("fe80::1%eth0") == "fe80::/64"
    assert address_of({"client": None}) == ""


def limit(site: Any, **rates: Rate) -> None:
    site.services = replace(site.services, limits=limits_of(dict(rates)))


def keep(site: Any, **rates: Rate) -> RateLimits:
    """Limit, with buckets that outlive the application made for each request."""
    limit(site, **rates)
    limits: RateLimits = site.services.limits
    return limits


ONE = Rate(1, 0.001)
FEW = Rate(3, 0.001)


def test_every_answer_to_a_known_client_says_what_is_left(site: Any) -> None:
    keep(site, reads=FEW)
    good = site.get("/v1/hooks")
    assert [good.headers[name] for name in HEADERS[:2]] == ["3", "2"]
    assert good.headers["x-ratelimit-reset"].isdigit()
    assert site.get("/v1/hooks/nothing").headers["x-ratelimit-remaining"] == "1"
    assert site.get("/v1/hooks?misspelt=1").headers["x-ratelimit-remaining"] == "0"


def test_too_many_requests_are_a_problem_that_says_when_to_come_back(site: Any) -> None:
    keep(site, reads=ONE)
    assert site.get("/v1/hooks").status_code == 200
    answer = site.get("/v1/hooks")
    assert answer.status_code == 429
    assert answer.json()["type"] == "/problems/too-many-requests"
    assert int(answer.headers["retry-after"]) > 100
    assert all(name in answer.headers for name in HEADERS)
    assert site.ask("HEAD", "/v1/hooks").status_code == 429


def test_classes_and_clients_have_buckets_of_their_own(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    keep(site, reads=ONE, management=ONE, invocations=ONE)
    site.let_in("hlt_other", "read:hooks")
    assert site.get("/v1/hooks").status_code == 200
    assert site.post("/v1/sync").status_code == 200
    assert site.invoke().status_code == 200
    assert site.get("/v1/hooks", token="hlt_other").status_code == 200
    assert site.get("/v1/hooks").status_code == 429
    assert site.post("/v1/sync").status_code == 429
    assert site.invoke().status_code == 429
    assert len(site.runner.calls) == 1


def test_a_signed_token_and_the_clients_own_share_a_bucket(site: Any) -> None:
    keep(site, reads=ONE)
    token = site.signer.sign({"azp": "client-0", "scope": "read:hooks", "exp": 2e9})
    assert site.get("/v1/hooks", token=token).status_code == 200
    assert site.get("/v1/hooks").status_code == 429


def test_the_management_api_answers_as_auth0_does(site: Any) -> None:
    limits = keep(site, management=ONE)
    assert limits.management is not None
    limits.management.take("client-0")
    assert site.get("/api/v2/hooks").status_code == 200  # reads have a bucket of their own
    answer = site.post("/api/v2/hooks")
    assert answer.status_code == 429
    assert answer.json() == {
        "statusCode": 429,
        "error": "Too Many Requests",
        "message": "Global limit has been reached",
        "errorCode": "too_many_requests",
    }
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert int(answer.headers["retry-after"]) > 0


def test_unlimited_classes_say_nothing(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    keep(site, reads=ONE)
    for _ in range(3):
        answer = site.invoke()
        assert answer.status_code == 200
        assert "x-ratelimit-limit" not in answer.headers


def test_whoever_keeps_failing_is_told_to_wait_and_shuts_nobody_else_out(
    site: Any, make_hook: Any
) -> None:
    site.put(make_hook())
    keep(site, failures=FEW)
    for left in ("2", "1", "0"):
        answer = site.get("/v1/hooks", token="wrong")
        assert answer.status_code == 401
        assert answer.headers["x-ratelimit-remaining"] == left
    for answer in (site.get("/v1/hooks", token="wrong"), site.invoke(token="e30.e30.e30")):
        assert answer.status_code == 429
        assert answer.json()["type"] == "/problems/too-many-requests"
    # A good client of the same address, as behind a proxy, is served all the same.
    assert site.get("/v1/hooks").status_code == 200
    assert site.get("/healthz", token=None).status_code == 200


def test_guessing_a_secret_is_bounded_by_address(site: Any) -> None:
    keep(site, failures=ONE)
    fields = {"grant_type": "client_credentials", "client_id": "client-0", "client_secret": "x"}
    assert site.ask("POST", "/oauth/token", token=None, data=fields).status_code == 401
    answer = site.ask("POST", "/oauth/token", token=None, data=fields)
    assert answer.status_code == 429
    assert answer.json()["error"] == "too_many_requests"
    fields["client_secret"] = "secret-client-0"
    assert site.ask("POST", "/oauth/token", token=None, data=fields).status_code == 200


def test_a_client_gets_so_many_tokens_from_one_address(site: Any) -> None:
    limits = keep(site, tokens=ONE)
    site.let_in("hlt_other", "read:hooks")
    fields = {"grant_type": "client_credentials", "client_id": "client-0"} | {
        "client_secret": "secret-client-0"
    }
    assert site.ask("POST", "/oauth/token", token=None, data=fields).status_code == 200
    answer = site.ask("POST", "/oauth/token", token=None, data=fields)
    assert answer.status_code == 429
    assert answer.json()["error"] == "too_many_requests"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    other = {**fields, "client_id": "client-1", "client_secret": "secret-client-1"}
    assert site.ask("POST", "/oauth/token", token=None, data=other).status_code == 200
    for number in range(100):
        wrong = {**fields, "client_id": "x" * 10_000 + str(number)}
        site.ask("POST", "/oauth/token", token=None, data=wrong)
    assert limits.tokens is not None
    assert len(limits.tokens) <= 3


def test_an_empty_bucket_is_not_asked_whether_the_scope_is_enough(site: Any) -> None:
    keep(site, reads=ONE)
    site.let_in("hlt_small", "read:hooks")
    answer = site.get("/v1/audit", token="hlt_small")
    assert answer.status_code == 403
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert site.get("/v1/audit", token="hlt_small").status_code == 429
