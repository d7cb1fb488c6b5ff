"""A browser without a screen: keeps cookies, sends what browsers send, follows nothing by itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from app.domain.callers.people import Role, local_person
from app.web.routes import build_app


@dataclass
class Browser:
    site: Any
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    host: str = "site"
    scheme: str = "http"

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.ask("GET", path, {"accept": "text/html", **_names(headers)})

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        """Send a form as a page of ours would, without its token."""
        given = {"accept": "text/html", "origin": f"{self.scheme}://{self.host}"} | _names(headers)
        given = {name: value for name, value in given.items() if value}
        return self.ask("POST", path, given, data=form or {})

    def submit(
        self, path: str, form: dict[str, str] | None = None, **headers: str
    ) -> httpx.Response:
        """Send a form with the token of the session."""
        return self.post(path, {**(form or {}), "csrf": self.token()}, **headers)

    def token(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get("/access").text)
        assert found, "no form to take the token from"
        return found[1]

    def sign_in(self, role: Role = Role.ADMIN, user: str = "ada") -> httpx.Response:
        secret = self.site.services.sign_in.offer_link(local_person(user, role))
        answer = self.post("/login/link", {"token": secret})
        assert answer.status_code == 303, answer.text
        return answer

    def ask(
        self, method: str, path: str, headers: dict[str, str], **options: Any
    ) -> httpx.Response:
        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(build_app(self.site.services), client=("192.0.2.7", 5))
            async with httpx.AsyncClient(
                transport=transport,
                base_url=f"{self.scheme}://{self.host}",
                cookies=self.cookies,
            ) as client:
                answer = await client.request(method, path, headers=headers, **options)
                self.cookies = client.cookies
                return answer

        return asyncio.run(exchange())


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def browser(site: Any) -> Browser:
    return Browser(site)


@pytest.fixture
def another_browser(site: Any) -> Callable[[], Browser]:
    return lambda: Browser(site)
