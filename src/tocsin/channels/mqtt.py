"""Pages to an MQTT broker (3.1.1): for sirens, lamps and house automation. Output only, never retained."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Final

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import SecretStr

from tocsin.channels.webhook import body_of
from tocsin.core.errors import PermanentDeliveryError, TemporaryDeliveryError
from tocsin.ports import Message

_REFUSED: Final = frozenset({4, 5, 134, 135})
"""Bad user name or password, not authorised: CONNACK of 3.1.1, and of 5."""


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """`topic` is the site's; a contact's address is the level below it."""

    host: str
    port: int
    topic: str
    tls: bool = True
    username: str = ""
    password: SecretStr | None = None
    timeout_s: float = 10.0


class MqttChannel:
    """One connection per page, with QoS 1: sent means that the broker has it, whoever may listen there."""

    name = "mqtt"

    def __init__(self, settings: MqttSettings, trust: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._tls = (trust or ssl.create_default_context()) if settings.tls else None

    async def send(self, message: Message) -> str:
        """Returns the topic that the broker took it for. Raises DeliveryError kinds."""
        settings = self._settings
        where = f"mqtt via {settings.host}:{settings.port}"
        topic = f"{settings.topic}/{message.address}"
        if not is_topic(topic):
            raise PermanentDeliveryError("the address is not a level of a topic", where=where)
        client = aiomqtt.Client(
            settings.host,
            settings.port,
            username=settings.username or None,
            password=settings.password.get_secret_value() if settings.password else None,
            clean_session=True,
            timeout=settings.timeout_s,
            tls_context=self._tls,
        )
        try:
            async with asyncio.timeout(settings.timeout_s):
                async with client:
                    # Not retained: a siren that is switched on tomorrow must not hear of today's fire.
                    await client.publish(topic, body_of(message), qos=1, retain=False)
        except aiomqtt.MqttCodeError as error:
            code = error.rc.value if isinstance(error.rc, ReasonCode) else error.rc
            if code in _REFUSED:
                raise PermanentDeliveryError(
                    f"the broker refuses our credentials ({code})", where=where, hint="TOCSIN_MQTT_PASSWORD"
                ) from None
            raise TemporaryDeliveryError(f"the broker refuses us ({code})", where=where) from None
        except (aiomqtt.MqttError, OSError) as error:
            raise TemporaryDeliveryError(
                f"no MQTT conversation ({type(error).__name__})", where=where, hint="is the broker up?"
            ) from None
        except ValueError:
            raise PermanentDeliveryError("the address is not a level of a topic", where=where) from None
        return f"accepted by {settings.host} for {topic}"[:200]


def is_topic(text: str) -> bool:
    """Whether something may be published under it: no wildcards, not a broker's own tree ($SYS)."""
    return (
        0 < len(text.encode()) <= 1_000
        and not text.startswith(("$", "/"))
        and not text.endswith("/")
        and "//" not in text
        and text.isprintable()
        and not set(text) & set("+#")
    )
