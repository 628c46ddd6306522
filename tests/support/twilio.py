"""A stand-in for Twilio's REST interface: real HTTP, real signatures, and telephones in the test's hand.

Written after Twilio's documentation, not after our sender: "Messages resource", "Calls resource", "Error
and warning dictionary", "Secure your webhooks" and "TwiML". Signatures are made by code of its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlencode
from xml.etree import ElementTree

import httpx
from tests.support.receiver import Answer, Received, Receiver

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "12345678901234567890123456789012"
SENDER = "+15005550006"


@dataclass(slots=True)
class Made:
    """A message or call that was asked for."""

    sid: str
    form: dict[str, str]
    said: list[str] = field(default_factory=list[str])


class Company:
    """Use it as a context manager."""

    def __init__(self) -> None:
        self.receiver = Receiver(self._answer)
        self.messages: list[Made] = []
        self.calls: list[Made] = []

    def __enter__(self) -> Self:
        self.receiver.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.receiver.__exit__(kind, error, trace)

    @property
    def api(self) -> str:
        return self.receiver.url("").rstrip("/")

    def _answer(self, got: Received) -> Answer:
        expected = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if got.headers.get("authorization") != expected:
            return _error(401, 20003, "Authenticate")
        if got.headers.get("content-type") != "application/x-www-form-urlencoded":
            return _error(400, 20001, "content type")
        form = {key: values[0] for key, values in parse_qs(got.body.decode(), strict_parsing=True).items()}
        match got.path.removeprefix(f"/2010-04-01/Accounts/{ACCOUNT}/"):
            case "Messages.json":
                kind, made, needed = "SM", self.messages, ("To", "From", "Body")
            case "Calls.json":
                kind, made, needed = "CA", self.calls, ("To", "From", "Twiml")
            case _:
                return _error(404, 20404, "not found")
        for name in needed:
            if not form.get(name):
                return _error(400, 21604, f"{name} is required")
        # Twilio's magic numbers for tests: 1 is invalid, 9 cannot be sent to for now.
        if form["To"] == "+15005550001":
            return _error(400, 21211, "Invalid 'To' Phone Number")
        if form["To"] == "+15005550009":
            return _error(429, 20429, "Too Many Requests")
        if kind == "SM" and len(form["Body"]) > 1600:
            return _error(400, 21617, "too long")
        if kind == "CA" and len(form["Twiml"]) > 4000:
            return _error(400, 21205, "too long")
        one = Made(kind + hashlib.md5(got.body).hexdigest(), form)
        made.append(one)
        body = json.dumps({"sid": one.sid, "status": "queued", "to": form["To"]}).encode()
        return Answer(201, {"content-type": "application/json"}, body)

    def knock(self, url: str, form: dict[str, str], *, base: str = "", token: str = TOKEN) -> httpx.Response:
        """Calls a hook signed over the address that it was given; `base` is where that really is."""
        form = {"AccountSid": ACCOUNT, **form}
        headers = {"x-twilio-signature": sign(url, form, token)}
        there = base + url.split("//", 1)[1][url.split("//", 1)[1].index("/") :] if base else url
        content = urlencode(form).encode()
        headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
        return httpx.post(there, content=content, headers=headers, trust_env=False, timeout=30.0)

    def press(self, call: Made, digit: str, *, base: str = "") -> str:
        """Whoever was called presses a key; what they are told."""
        gather = ElementTree.fromstring(call.form["Twiml"]).find("Gather")
        assert gather is not None
        assert gather.get("numDigits") == "1"
        answer = self.knock(
            gather.get("action", ""),
            {"CallSid": call.sid, "From": call.form["From"], "To": call.form["To"], "Digits": digit},
            base=base,
        )
        answer.raise_for_status()
        return "".join(ElementTree.fromstring(answer.text).itertext())

    def status(self, made: Made, status: str, *, base: str = "", **more: str) -> httpx.Response:
        """Tells how a message or call got on."""
        name = "MessageStatus" if made.sid.startswith("SM") else "CallStatus"
        return self.knock(
            made.form["StatusCallback"], {name: status, "To": made.form["To"], **more}, base=base
        )

    def text(
        self, url: str, number: str, words: str, *, base: str = "", token: str = TOKEN
    ) -> httpx.Response:
        """Somebody sends a text to the account's number."""
        form = {"MessageSid": "SM1", "From": number, "To": SENDER, "Body": words, "NumMedia": "0"}
        return self.knock(url, form, base=base, token=token)


def sign(url: str, form: dict[str, str], token: str) -> str:
    """X-Twilio-Signature: base64 of HMAC-SHA1 over the address and, by name, each field's name and value."""
    text = url
    for name in sorted(form):
        text += name + form[name]
    return base64.b64encode(hmac.new(token.encode(), text.encode("utf-8"), hashlib.sha1).digest()).decode()


def _error(status: int, code: int, message: str) -> Answer:
    body = json.dumps({"code": code, "message": message, "status": status}).encode()
    return Answer(status, {"content-type": "application/json"}, body)
