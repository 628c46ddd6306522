"""How well confidences order stills and boxes, against known values and counting pair by pair."""

from __future__ import annotations

import math

import pytest
from tests.support.evaluating import a_still

from tocsin.core.observation import Region
from tocsin.evaluate.labels import FLAME, SMOKE, Label
from tocsin.evaluate.ranking import Ranks, box_figures, iou, still_figures


def test_the_values_of_a_textbook() -> None:
    ranks = Ranks.of([0.35, 0.8], [0.1, 0.4])
    assert ranks.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert ranks.roc_auc == pytest.approx(0.75)


def test_perfect_and_hopeless_orders() -> None:
    assert Ranks.of([0.9, 0.8], [0.7, 0.1]).average_precision == 1.0
    assert Ranks.of([0.9, 0.8], [0.7, 0.1]).roc_auc == 1.0
    assert Ranks.of([0.1], [0.7, 0.9]).roc_auc == 0.0
    assert Ranks.of([0.5], [0.5]).recall_at(0.03) == 0.0


def test_without_one_kind_there_is_no_figure() -> None:
    assert math.isnan(Ranks.of([], [0.1]).average_precision)
    assert math.isnan(Ranks.of([0.1], []).roc_auc)
    assert math.isnan(Ranks.of([0.1], []).recall_at(0.03))
    with pytest.raises(ValueError, match="NaN"):
        Ranks.of([math.nan], [0.1])


def test_stills_with_only_the_other_hazard_are_neither() -> None:
    stills = [
        a_still(Label.FIRE, flame=0.9, smoke=0.9),
        a_still(Label.FIRE, flame=0.2, smoke=0.1),
        a_still(Label.BOTH, flame=0.6, smoke=0.7),
        a_still(Label.SMOKE, flame=0.8, smoke=0.5),
        a_still(Label.NONE, flame=0.5, smoke=0.4),
        a_still(Label.NONE, flame=0.0, smoke=0.0),
    ]
    flame, smoke = still_figures(FLAME, stills), still_figures(SMOKE, stills)
    assert flame is not None
    assert smoke is not None
    assert (flame.positives, flame.negatives, flame.hits, flame.false) == (3, 2, 2, 1)
    assert (flame.recall, flame.precision, flame.false_share) == (2 / 3, 2 / 3, 0.5)
    assert flame.f1 == pytest.approx(2 / 3)
    assert (flame.others, flame.others_of) == (1, 1)
    assert (smoke.positives, smoke.negatives, smoke.hits, smoke.false) == (2, 2, 2, 0)
    assert (smoke.others, smoke.others_of) == (1, 2)
    assert dict(smoke.recall_at) == {0.03: 1.0, 0.05: 1.0}


def test_what_nobody_looked_for_has_no_figures() -> None:
    assert still_figures(SMOKE, [a_still(Label.SMOKE, flame=0.1)]) is None
    assert box_figures(FLAME, [a_still(Label.FIRE, boxes=[], flame=0.1)]) is None


LEFT, RIGHT, FAR = Region(0.0, 0.0, 0.4, 0.4), Region(0.5, 0.0, 0.9, 0.4), Region(0.0, 0.8, 0.2, 1.0)


def test_intersection_over_union() -> None:
    assert iou(LEFT, LEFT) == pytest.approx(1.0)
    assert iou(LEFT, RIGHT) == 0.0
    assert iou(Region(0, 0, 0.4, 0.4), Region(0.2, 0, 0.6, 0.4)) == pytest.approx(1 / 3)


def test_each_box_is_found_once_and_by_the_surest() -> None:
    twice = a_still(Label.FIRE, boxes=[LEFT, RIGHT], said=[(0.9, LEFT), (0.8, LEFT), (0.7, RIGHT)], flame=0.9)
    found = box_figures(FLAME, [twice])
    assert found is not None
    assert (found.stills, found.boxes) == (1, 2)
    # Found, false, found: precision 1, 1/2, 2/3; made falling from the right 1, 2/3, 2/3.
    assert found.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_false_boxes_on_stills_without_any_count() -> None:
    right = a_still(Label.FIRE, boxes=[LEFT], said=[(0.6, LEFT)], flame=0.6)
    wrong = a_still(Label.NONE, boxes=[], said=[(0.9, FAR)], flame=0.9)
    unknown = a_still(Label.FIRE, boxes=None, said=[(0.95, FAR)], flame=0.95)
    found = box_figures(FLAME, [right, wrong, unknown])
    assert found is not None
    assert (found.stills, found.average_precision) == (2, 0.5)
    nothing = box_figures(FLAME, [a_still(Label.FIRE, boxes=[LEFT], flame=0.1)])
    assert nothing is not None
    assert nothing.average_precision == 0.0
