"""JSON Schemas of what forges send and are answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.application.receive_webhooks import ReceiptStatus
from app.web.schema_parts import TEXT, object_of, words

WEBHOOK_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "WebhookReceipt": object_of({"status": words(ReceiptStatus), "reason": TEXT}),
    "WebhookNotice": {"description": "What the forge sends; only the branch's name is looked at."},
}
