"""What the routes work with: the centre's flows and stores, joined by `wiring`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from pydantic import SecretStr

from tocsin.flows.accounts import Accounts, WatcherTokens
from tocsin.flows.answering import Answering
from tocsin.flows.audit import Verdict
from tocsin.flows.calibrating import Calibrating
from tocsin.flows.deadman import Beats
from tocsin.flows.devices import Devices
from tocsin.flows.drilling import Drilling
from tocsin.flows.evidence import Evidence
from tocsin.flows.intake import Intake
from tocsin.flows.linking import Linking
from tocsin.flows.maintenance import Maintenance
from tocsin.flows.operate import Operate
from tocsin.flows.policy import Policy
from tocsin.flows.report_pictures import ReportPictures
from tocsin.flows.rostering import Rostering
from tocsin.flows.zoning import Zoning
from tocsin.ports import Answers, Clock
from tocsin.ports_store import Pictures, Store

if TYPE_CHECKING:
    from tocsin.web.hooks import Telephone
    from tocsin.web.live import Live
    from tocsin.web.onboarding import Jobs
    from tocsin.web.render import Renderer
    from tocsin.web.stills import Stills


@dataclass(frozen=True, slots=True)
class House:
    """One centre. `secure_cookies` is false only for plain http on this machine; `failing_loops` names the
    background loops that have not succeeded for a while. `metrics_token`: who bears it may read the metrics;
    nobody without one. `pages_done`: tries to send since the start, by channel and outcome. `push_key`: the
    public key of web push, in base64url; empty where it is not set up. `verdict` is the watchman's last,
    `beats` how the dead-man switch fares."""

    policy: Policy
    store: Store
    clock: Clock
    intake: Intake
    operate: Operate
    evidence: Evidence
    report_pictures: ReportPictures
    accounts: Accounts
    tokens: WatcherTokens
    zoning: Zoning
    maintenance: Maintenance
    calibrating: Calibrating
    rostering: Rostering
    drilling: Drilling
    stills: Stills
    jobs: Jobs
    renderer: Renderer
    live: Live
    secure_cookies: bool
    failing_loops: Callable[[], list[str]]
    metrics_token: SecretStr | None
    pages_done: Callable[[], Mapping[tuple[str, str], int]]
    answering: Answering
    linking: Linking
    pictures: Pictures
    devices: Devices
    push_key: str = ""
    telephone: Telephone | None = None
    answers: Answers | None = None
    verdict: Callable[[], Verdict] = Verdict
    beats: Callable[[], Beats] = Beats


def _house(request: Request) -> House:
    house = request.app.state.house
    assert isinstance(house, House)
    return house


HouseDep = Annotated[House, Depends(_house)]
