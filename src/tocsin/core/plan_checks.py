"""Refuses escalation plans that could end with nobody called, by name, and says what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tocsin.core.errors import ConfigError
from tocsin.core.hazards import Catalogue, Hazard, Signal
from tocsin.core.plans import Escalation, EscalationPlan, EscalationStep, PlanRule, Repeat, Who
from tocsin.core.roster import Responder, Roster

WIDEN: str = 'add a last step with who = "on-duty" or who = "everyone"'


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """A plan as a site wrote it. `then` is the id of the plan that goes on after the last step."""

    id: str
    steps: tuple[EscalationStep, ...]
    repeat: Repeat | None = Repeat.LAST
    """None: nothing is."""
    then: str = ""
    hazards: frozenset[str] = frozenset()
    signals: frozenset[Signal] = frozenset()
    places: frozenset[str] = frozenset()

    @property
    def matches(self) -> bool:
        return bool(self.hazards or self.signals or self.places)


def rules_of(
    drafts: Sequence[PlanDraft], catalogue: Catalogue, places: Collection[str]
) -> tuple[PlanRule, ...]:
    """The plans in their order, each with the plan that goes on after it. Raises ConfigError."""
    known = {draft.id: draft for draft in drafts}
    used = {draft.then for draft in drafts}
    found: list[PlanRule] = []
    for draft in drafts:
        where = _where(draft.id)
        plan = _joined(draft, known)
        for hazard in sorted(draft.hazards):
            catalogue.get(hazard, where=f"{where} match")
        for place in sorted(draft.places):
            if place not in places:
                raise ConfigError(
                    f"it matches place {place!r}, which is not declared",
                    where=where,
                    hint=_near(place, places) or "add a [[place]] with that id",
                )
        if not draft.matches:
            if draft.id in used:
                continue
            raise ConfigError(
                "no alarm goes by it: it has no match, and no other plan goes on with it",
                where=where,
                hint='write match = { hazard = ["flame"] }, or signal, or place',
            )
        rule = PlanRule(plan, draft.hazards, draft.signals, draft.places)
        for earlier in found:
            if earlier.covers(rule):
                raise ConfigError(
                    f"no alarm goes by it: plan {earlier.plan.id!r} stands before it and matches the same",
                    where=where,
                    hint="put the narrower plan first",
                )
        found.append(rule)
    return tuple(found)


def _joined(draft: PlanDraft, known: Mapping[str, PlanDraft]) -> EscalationPlan:
    """The draft's steps and those of the plans that go on after it."""
    chain = [draft]
    while chain[-1].then:
        last = chain[-1]
        where = _where(last.id)
        if last.repeat is Repeat.ALL:
            raise ConfigError(
                f"it never goes on with {last.then!r}, for all its steps are repeated",
                where=where,
                hint="leave out repeat, or then",
            )
        after = known.get(last.then)
        if after is None:
            raise ConfigError(
                f"it goes on with {last.then!r}, and there is no such plan",
                where=where,
                hint=_near(last.then, known) or "add a [[plan]] with that id",
            )
        if after in chain:
            circle = " then ".join(repr(one.id) for one in (*chain[chain.index(after) :], after))
            raise ConfigError(
                f"plans that go on with each other in a circle: {circle}",
                where=_where(draft.id),
                hint='leave out then in one of them; repeat = "all" repeats all steps of a plan',
            )
        chain.append(after)
    if chain[-1].repeat is None:
        raise ConfigError(
            "after its last step nobody is called any more",
            where=_where(chain[-1].id),
            hint='write repeat = "last" or "all", or then = "ID" of another plan',
        )
    if chain[-1].repeat is Repeat.ALL and len(chain) > 1:
        # Repeated as a whole it would begin with the first plan again, which is not what is written.
        raise ConfigError(
            f"plan {chain[0].id!r} goes on with it, and it repeats all of its steps",
            where=_where(chain[-1].id),
            hint='a plan that others go on with has repeat = "last"',
        )
    steps = tuple(step for one in chain for step in one.steps)
    return EscalationPlan(steps, draft.id, chain[-1].repeat)


def check_plans(escalation: Escalation, roster: Roster, catalogue: Catalogue) -> None:
    """Raises ConfigError for a plan that names whom it cannot call, or could end with nobody called."""
    enabled = [hazard for hazard in catalogue if hazard.enabled]
    own = [
        (escalation.alarm, "[escalation] alarm", [h for h in enabled if h.signal is Signal.ALARM]),
        (escalation.trouble, "[escalation] trouble", [h for h in enabled if h.signal is not Signal.ALARM]),
    ]
    for rule in escalation.rules:
        fitting = [
            h
            for h in enabled
            if (not rule.hazards or h.code in rule.hazards) and (not rule.signals or h.signal in rule.signals)
        ]
        own.append((rule.plan, _where(rule.plan.id), fitting))
    for plan, where, hazards in own:
        for step in plan.steps:
            _check_names(step, roster, where)
        if not roster.responders:
            continue  # nobody can be called by any plan; the doctor says so
        why = [_unsure(step, roster, hazards) for step in plan.repeated]
        if all(why):
            raise ConfigError(f"it could end with nobody called: {why[-1]}", where=where, hint=WIDEN)


def _check_names(step: EscalationStep, roster: Roster, where: str) -> None:
    if step.who is not Who.NAMED:
        return
    if not step.responders and not step.rotation:
        raise ConfigError(
            "a step names nobody", where=where, hint='write responders = ["ID"], rotation = "ID", or who'
        )
    rotations = [rotation.id for rotation in roster.rotations]
    if step.rotation and step.rotation not in rotations:
        raise ConfigError(
            f"it calls rotation {step.rotation!r}, and there is no such rotation",
            where=where,
            hint=_near(step.rotation, rotations) or "add a [[rotation]] with that id",
        )
    members = [m for rotation in roster.rotations if rotation.id == step.rotation for m in rotation.members]
    for named in (*step.responders, *members):
        responder = roster.get(named)
        if responder is None:
            ids = [one.id for one in roster.responders]
            raise ConfigError(
                f"it calls {named!r}, who is not on the roster",
                where=where,
                hint=_near(named, ids) or "add a [[responder]] with that id",
            )
        if not responder.contacts:
            raise ConfigError(
                f"it calls {named!r}, who has no contact", where=where, hint="add contacts to the responder"
            )


def _unsure(step: EscalationStep, roster: Roster, hazards: Iterable[Hazard]) -> str:
    """Why this step could call nobody; empty when it is sure to call somebody.

    When nobody at all is on duty every step calls everyone, as the last resort.
    """
    match step.who:
        case Who.ON_DUTY | Who.EVERYONE:
            return ""
        case Who.ASSIGNED | Who.QUALIFIED:
            held = {q for one in roster.responders if one.contacts for q in one.qualifications}
            missing = sorted({h.qualification for h in hazards if h.qualification} - held)
            return f"nobody on the roster is qualified for {missing[0]!r}" if missing else ""
        case Who.NAMED:
            rotation = next((one for one in roster.rotations if one.id == step.rotation), None)
            if rotation is not None and not rotation.hours:
                return ""
            if rotation is not None:
                return f"rotation {rotation.id!r} has hours, and outside of them it is nobody's turn"
            named = [one for one in roster.responders if one.id in step.responders]
            if any(_always(one, roster) for one in named):
                return ""
            return f"{' and '.join(one.id for one in named)} may be off duty, and off duty nobody is called"


def _always(responder: Responder, roster: Roster) -> bool:
    in_turn = any(responder.id in rotation.members for rotation in roster.rotations)
    return not responder.shifts and not responder.calendar and not in_turn


def _where(plan: str) -> str:
    return f"[[plan]] {plan!r}"


def _near(text: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(text, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""
