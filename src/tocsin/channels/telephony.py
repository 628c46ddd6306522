"""Pages by text message and by call, over a telephone company's HTTP interface."""

from __future__ import annotations

import re
from typing import Final

from tocsin.core.errors import PermanentDeliveryError
from tocsin.ports import Message
from tocsin.ports_telephony import TelephonyProvider

SMS_CHARS: Final = 459
"""Three parts of 153 letters (GSM 03.38): more may be cut, or come in pieces out of order."""

SAID_CHARS: Final = 600
"""About forty seconds of speech."""

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


def number_of(address: str) -> str:
    """The telephone number in E.164 form (+351912345678); spaces and dashes do not count. Empty for none."""
    plain = re.sub(r"[\s().-]", "", address)
    return plain if _NUMBER.fullmatch(plain) else ""


def masked(number: str) -> str:
    """The number as it may stand in logs and time lines: its last three digits."""
    return f"…{number[-3:]}"


class SmsChannel:
    """One text message per page. It can be answered: 1, or ack."""

    name = "sms"

    def __init__(self, provider: TelephonyProvider) -> None:
        self.provider = provider

    async def send(self, message: Message) -> str:
        """Returns what the company calls the message. Raises DeliveryError kinds."""
        to = _checked(message.address, self.name)
        said = await self.provider.send_sms(to, sms_text(message), message.page_id)
        return f"sms to {masked(to)}: accepted as {said}"

    async def close(self) -> None:
        await self.provider.close()


class VoiceChannel:
    """One call per page: it says the page, and takes a key."""

    name = "voice"

    def __init__(self, provider: TelephonyProvider) -> None:
        self.provider = provider

    async def send(self, message: Message) -> str:
        """Returns what the company calls the call, which it has only begun. Raises DeliveryError kinds."""
        to = _checked(message.address, self.name)
        said = await self.provider.call(to, spoken(message), message.page_id, message.alarm_number)
        return f"call to {masked(to)}: accepted as {said}"

    async def close(self) -> None:
        await self.provider.close()


def _checked(address: str, channel: str) -> str:
    to = number_of(address)
    if not to:
        raise PermanentDeliveryError(
            "the address is not a telephone number", where=channel, hint="write it like +351912345678"
        )
    return to


def sms_text(message: Message) -> str:
    """The subject, how to answer, and the link; as short as one may read at a glance."""
    end = f"\nReply 1 to acknowledge: OK {message.alarm_number}\n{message.url}"
    subject = " ".join(message.subject.split())
    return subject[: SMS_CHARS - len(end)] + end


def spoken(message: Message) -> str:
    """What the call says, twice, for who answers has the telephone not at the ear yet."""
    once = " ".join(message.subject.split())[: SAID_CHARS // 2 - 1].rstrip(".")
    return f"{once}. {once}."
