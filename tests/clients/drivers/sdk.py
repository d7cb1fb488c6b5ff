"""One generation of Auth0's Python SDK, driven by lines of JSON.

``["create", {…}]`` in, ``{"value": …}`` or ``{"error": {…}}`` out. Arguments: the major version,
``sync`` or ``async``, and the domain of the tenant.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

MAJOR, KIND, DOMAIN = sys.argv[1:]
CLIENT = {
    "client_id": os.environ["AUTH0_CLIENT_ID"],
    "client_secret": os.environ["AUTH0_CLIENT_SECRET"],
}
ASYNC = KIND == "async"


class Generation4:
    """``Hooks``, and its twin that ``asyncify`` makes: each method again, named ``…_async``."""

    def __init__(self, runner):
        from auth0.asyncify import asyncify
        from auth0.authentication import GetToken
        from auth0.management import Hooks

        grant = GetToken(DOMAIN, **CLIENT).client_credentials(f"https://{DOMAIN}/api/v2/")
        self._runner = runner
        self._hooks = (asyncify(Hooks) if ASYNC else Hooks)(DOMAIN, grant["access_token"])
        self.create = self._method("create")
        self.get = self._method("get")
        self.update = self._method("update")
        self.delete = self._method("delete")
        self.secrets = self._method("get_secrets")
        self.addSecrets = self._method("add_secrets")
        self.updateSecrets = self._method("update_secrets")
        self.deleteSecrets = self._method("delete_secrets")

    def _method(self, name):
        if not ASYNC:
            return getattr(self._hooks, name)
        method = getattr(self._hooks, f"{name}_async")
        return lambda *given, **named: self._runner.run(method(*given, **named))

    def list(self, size):
        fetch, found, page = self._method("all"), [], 0
        while True:
            batch = fetch(enabled=None, page=page, per_page=size, include_totals=True)
            found += batch["hooks"]
            if len(found) >= batch["total"]:
                return found
            page += 1

    def all(self):
        """List as this generation does unless told otherwise: only hooks that are enabled."""
        return self._method("all")()


class Generation5:
    """``ManagementClient``, and ``AsyncManagementClient`` with the same methods."""

    def __init__(self, runner):
        from auth0.management import AsyncManagementClient, ManagementClient

        self._runner = runner
        self._hooks = (AsyncManagementClient if ASYNC else ManagementClient)(
            domain=DOMAIN, **CLIENT
        ).hooks

    def _done(self, answer):
        return self._runner.run(answer) if ASYNC else answer

    @staticmethod
    def _plain(model):
        return json.loads(model.model_dump_json(by_alias=True)) if model is not None else None

    def create(self, body):
        body["trigger_id"] = body.pop("triggerId")
        return self._plain(self._done(self._hooks.create(**body)))

    def get(self, id):
        return self._plain(self._done(self._hooks.get(id)))

    def list(self, size):
        return self._collect(per_page=size)

    def all(self):
        return self._collect()

    def _collect(self, **options):
        if not ASYNC:
            return [self._plain(hook) for hook in self._hooks.list(**options)]

        async def collect():
            return [self._plain(hook) async for hook in await self._hooks.list(**options)]

        return self._runner.run(collect())

    def update(self, id, changes):
        return self._plain(self._done(self._hooks.update(id, **changes)))

    def delete(self, id):
        return self._done(self._hooks.delete(id))

    def secrets(self, id):
        return self._done(self._hooks.secrets.get(id))

    def addSecrets(self, id, values):
        return self._done(self._hooks.secrets.create(id, request=values))

    def updateSecrets(self, id, values):
        return self._done(self._hooks.secrets.update(id, request=values))

    def deleteSecrets(self, id, names):
        return self._done(self._hooks.secrets.delete(id, request=names))


def answer(calls, call, *given):
    try:
        return {"value": getattr(calls, call)(*given)}
    except Exception as error:
        body = getattr(error, "body", None)
        told = body if isinstance(body, dict) else {}
        return {
            "error": {
                "class": type(error).__name__,
                "status": getattr(error, "status_code", None),
                "code": getattr(error, "error_code", None) or told.get("errorCode"),
                "message": told.get("message") or str(error),
            }
        }


def main():
    with asyncio.Runner() as runner:
        calls = (Generation4 if MAJOR == "4" else Generation5)(runner)
        for line in sys.stdin:
            print(json.dumps(answer(calls, *json.loads(line))), flush=True)


main()
