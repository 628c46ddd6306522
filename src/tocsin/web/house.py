"""What the routes work with: the centre's flows and stores, joined by `wiring`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from pydantic import SecretStr

from tocsin.flows.accounts import Accounts, WatcherTokens
from tocsin.flows.calibrating import Calibrating
from tocsin.flows.evidence import Evidence
from tocsin.flows.intake import Intake
from tocsin.flows.maintenance import Maintenance
from tocsin.flows.operate import Operate
from tocsin.flows.policy import Policy
from tocsin.flows.report_pictures import ReportPictures
from tocsin.flows.zoning import Zoning
from tocsin.ports import Clock
from tocsin.ports_store import Store

if TYPE_CHECKING:
    from tocsin.web.live import Live
    from tocsin.web.onboarding import Jobs
    from tocsin.web.render import Renderer
    from tocsin.web.stills import Stills


@dataclass(frozen=True, slots=True)
class House:
    """One centre. `secure_cookies` is false only for plain http on this machine; `failing_loops` names the
    background loops that have not succeeded for a while. `metrics_token`: who bears it may read the metrics;
    nobody without one. `pages_done`: tries to send since the start, by channel and outcome."""

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
    stills: Stills
    jobs: Jobs
    renderer: Renderer
    live: Live
    secure_cookies: bool
    failing_loops: Callable[[], list[str]]
    metrics_token: SecretStr | None
    pages_done: Callable[[], Mapping[tuple[str, str], int]]


def _house(request: Request) -> House:
    house = request.app.state.house
    assert isinstance(house, House)
    return house


HouseDep = Annotated[House, Depends(_house)]
