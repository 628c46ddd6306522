"""The channels' sections and addresses: what would reach nobody is refused before an alarm finds out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.site import SetClock

from tocsin.config import Config, Secrets, from_values
from tocsin.config_channels import apprise_urls, apprise_variable
from tocsin.core.errors import ConfigError
from tocsin.core.roster import Contact
from tocsin.wiring_channels import channels_of

PHONE = {"account": "AC0123456789abcdef0123456789abcdef", "sender": "+1 500 555 0006"}
CHANNELS = {
    "email": {"host": "h", "sender": "t@example.org"},
    "mqtt": {"host": "h"},
    "sms": PHONE,
    "voice": PHONE,
}


def site(*contacts: dict[str, Any], **channel: Any) -> Config:
    responder = {"id": "ana", "name": "Ana", "contacts": list(contacts)}
    return from_values({"responder": [responder], "channel": CHANNELS | channel}, "test")


def contact(channel: str, address: str, **more: Any) -> dict[str, Any]:
    return {"channel": channel, "address": address, **more}


def test_contacts_come_to_the_roster_with_their_order_and_their_numbers_in_one_form() -> None:
    config = site(
        contact("mqtt", "siren/hall 1"),
        contact("sms", "+351 912-345-678", fallback=True),
        contact("voice", "+351912345678", fallback=True),
        contact("apprise", "night-chat"),
    )
    assert config.roster().responders[0].contacts == (
        Contact("mqtt", "siren/hall 1"),
        Contact("sms", "+351912345678", fallback=True),
        Contact("voice", "+351912345678", fallback=True),
        Contact("apprise", "night-chat"),
    )


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("sms", "112"), ("sms", "912345678"), ("sms", "+0912345678"), ("sms", "+351912345678901234"),
        ("voice", "ana"), ("voice", "+1;rm"), ("mqtt", "#"), ("mqtt", "a/+"), ("mqtt", "$SYS/x"),
        ("mqtt", "/x"),
        ("mqtt", "x/"), ("mqtt", "a//b"), ("apprise", "json://h"), ("apprise", "Night"), ("apprise", "-x"),
        ("webpush", "ana"),
    ],
)  # fmt: skip
def test_an_address_that_no_page_could_reach_is_refused(channel: str, address: str) -> None:
    with pytest.raises(ConfigError, match=r"responder\.0\.contacts\.0"):
        site(contact(channel, address))


def test_somebody_with_nothing_but_fallbacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="every contact is a fallback"):
        site(contact("sms", "+351912345678", fallback=True))


@pytest.mark.parametrize("channel", ["email", "mqtt", "sms", "voice"])
def test_a_contact_without_its_section_is_refused(channel: str) -> None:
    address = {"email": "a@example.org", "mqtt": "siren"}.get(channel, "+351912345678")
    with pytest.raises(ConfigError, match=rf"no \[channel.{channel}\]"):
        site(contact(channel, address), **{channel: None})


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"sms": PHONE | {"sender": "Tocsin"}}, "channel.sms.sender"),
        ({"sms": PHONE | {"account": "AC/../x"}}, "channel.sms.account"),
        ({"sms": PHONE | {"api": "http://api.twilio.com"}}, "channel.sms"),
        ({"sms": PHONE | {"api": "https://a:b@api.twilio.com"}}, "channel.sms.api"),
        ({"sms": PHONE | {"api": "http://localhost.evil.example"}}, "channel.sms"),
        ({"mqtt": {"host": "h", "topic": "a/#"}}, "channel.mqtt.topic"),
        ({"mqtt": {"host": "h", "password": "x"}}, "channel.mqtt.password"),
        ({"webpush": {}}, "channel.webpush.contact"),
        ({"webpush": {"contact": "nobody"}}, "channel.webpush.contact"),
        ({"webpush": {"contact": "a@b.example", "services": ["*"]}}, "channel.webpush.services"),
        (
            {"webpush": {"contact": "a@b.example", "services": ["https://x.example/"]}},
            "channel.webpush.services",
        ),
        ({"apprise": {"timeout_s": 600}}, "channel.apprise.timeout_s"),
        ({"email": CHANNELS["email"] | {"per_minute": 0}}, "channel.email.per_minute"),
        ({"email": CHANNELS["email"] | {"per_minute": float("inf")}}, "channel.email.per_minute"),
    ],
)
def test_a_wrong_section_is_refused_by_the_name_of_its_key(section: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        site(contact("mqtt", "siren"), **section)
    assert key in str(refused.value)


def test_limits_are_those_that_are_given() -> None:
    config = site(contact("mqtt", "siren"), sms=PHONE | {"per_minute": 30}, webhook={"per_minute": 600})
    assert config.channel.limits == {"sms": 30.0, "webhook": 600.0}


@pytest.fixture(autouse=True)
def _no_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOCSIN_APPRISE_NIGHT_CHAT", "TOCSIN_APPRISE_NIGHT_CHAT_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_an_apprise_url_is_read_from_the_environment_or_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert apprise_variable("night-chat") == "TOCSIN_APPRISE_NIGHT_CHAT"
    assert apprise_urls(["night-chat"]) == {}
    path = tmp_path / "url"
    path.write_text("ntfys://ntfy.example/x\n")
    monkeypatch.setenv("TOCSIN_APPRISE_NIGHT_CHAT_FILE", str(path))
    assert apprise_urls(["night-chat"])["night-chat"].get_secret_value() == "ntfys://ntfy.example/x"
    monkeypatch.setenv("TOCSIN_APPRISE_NIGHT_CHAT", "jsons://h/y")
    assert apprise_urls(["night-chat"])["night-chat"].get_secret_value() == "jsons://h/y"
    monkeypatch.delenv("TOCSIN_APPRISE_NIGHT_CHAT")
    path.unlink()
    with pytest.raises(ConfigError) as refused:
        apprise_urls(["night-chat"])
    assert refused.value.where == "TOCSIN_APPRISE_NIGHT_CHAT_FILE"


def test_channels_are_made_of_what_is_set_and_name_the_secret_that_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TOCSIN_TWILIO_TOKEN", "TOCSIN_MQTT_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    chat = site(contact("apprise", "night-chat"), sms=None, voice=None)
    with pytest.raises(ConfigError, match="night-chat") as refused:
        channels_of(chat, Secrets(), SetClock())
    assert "TOCSIN_APPRISE_NIGHT_CHAT" in refused.value.hint
    monkeypatch.setenv("TOCSIN_APPRISE_NIGHT_CHAT", "syslog://")
    with pytest.raises(ConfigError, match="not one that pages may go to"):
        channels_of(chat, Secrets(), SetClock())
    texts = site(contact("sms", "+351912345678"))
    with pytest.raises(ConfigError) as refused:
        channels_of(texts, Secrets(), SetClock())
    assert "TOCSIN_TWILIO_TOKEN" in refused.value.hint
    named = {"host": "h", "username": "tocsin"}
    signed_in = site(contact("mqtt", "siren"), mqtt=named, sms=None, voice=None)
    with pytest.raises(ConfigError) as refused:
        channels_of(signed_in, Secrets(), SetClock())
    assert "TOCSIN_MQTT_PASSWORD" in refused.value.hint
    monkeypatch.setenv("TOCSIN_TWILIO_TOKEN", "x")
    monkeypatch.setenv("TOCSIN_APPRISE_NIGHT_CHAT", "jsons://h/x")
    made = channels_of(site(contact("apprise", "night-chat")), Secrets(), SetClock())
    assert set(made) == {"email", "mqtt", "sms", "voice", "apprise"}
    assert all(channel.name == name for name, channel in made.items())
