"""JSON Schemas of what forges and authors exchange with us beside hooks: notices and keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.application.syncing.receive_webhooks import ReceiptStatus
from app.web.schemas.parts import TEXT, object_of, words

WEBHOOK_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "WebhookReceipt": object_of({"status": words(ReceiptStatus), "reason": TEXT}),
    "AgeKey": object_of({"recipient": TEXT}),
    "WebhookNotice": {"description": "What the forge sends; only the branch's name is looked at."},
}
