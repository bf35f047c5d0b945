"""What every tab shares: how often a preview may go."""

import time

import pytest

from imagegen.ui.wiring import Pace


def test_previews_go_at_most_once_in_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pace = Pace(0.5)
    gone = []
    for now in (100, 100, 100.25, 100.5, 100.75, 101.25, 101.5, 101.75, 104, 104.25):
        if pace.due():
            gone.append(now)
    assert gone == [100, 100.5, 101.25, 101.75, 104]


def test_the_first_preview_goes_at_once_even_right_after_the_machine_has_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    pace = Pace()
    assert pace.due()
    assert not pace.due()
    assert Pace().due()


def test_a_visitor_sees_four_to_eight_previews_a_second() -> None:
    assert 1 / 8 <= Pace().seconds <= 1 / 4
