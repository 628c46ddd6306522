"""The process in which Apprise sends one page: asked on standard input, answered by its exit status."""

from __future__ import annotations

import json
import logging
import resource
import sys

from tocsin.channels.apprise import MEMORY_BYTES, NOT_SENT, REFUSED, SENT


def main() -> int:
    asked = json.loads(sys.stdin.buffer.read())
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold the URL
    logging.disable(logging.CRITICAL)
    import apprise

    asset = apprise.AppriseAsset(
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        service_timeout=float(asked["timeout_s"]),
        plugin_paths=[],
    )
    asset.async_mode = False
    asset.http_redirects = False
    sender = apprise.Apprise(asset=asset)
    if not sender.add(asked["url"]):  # pyright: ignore[reportUnknownMemberType]
        return REFUSED
    kind = apprise.NotifyType.FAILURE if asked["grave"] else apprise.NotifyType.WARNING
    sent = sender.notify(  # pyright: ignore[reportUnknownMemberType]
        body=asked["body"], title=asked["title"], notify_type=kind, body_format=apprise.NotifyFormat.TEXT
    )
    return SENT if sent else NOT_SENT


if __name__ == "__main__":
    try:
        status = main()
    except BaseException:  # noqa: BLE001 - a traceback would hold the URL
        status = NOT_SENT
    sys.exit(status)
