"""How fast a server is asked, and how long it is given."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from text2image.labels.openai.pace import LONGEST_WAIT, Pace, backoff, retry_after


def test_limits_per_minute_spread_requests() -> None:
    now = [100.0]
    pace = Pace(60, lambda: now[0])
    assert [pace.wait_for(1) for _ in range(3)] == [0.0, 1.0, 2.0]
    now[0] = 110.0
    assert pace.wait_for(30) == 0.0
    pace.correct(-20)
    assert pace.wait_for(1) == pytest.approx(10.0)
    pace.hold(60.0)
    assert pace.wait_for(1) == pytest.approx(60.0)
    assert Pace(None).wait_for(10**9) == 0.0


def test_retry_after_in_both_forms() -> None:
    later = datetime.now(UTC) + timedelta(seconds=30)
    assert retry_after({"retry-after": "0.05"}) == 0.05
    assert retry_after({"retry-after": format_datetime(later, usegmt=True)}) == pytest.approx(30, abs=2)
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert [retry_after(headers) for headers in ({}, {"retry-after": "soon"}, {"retry-after": "nan"})] == [
        0.0
    ] * 3
    assert all(0.0 <= backoff(attempt) <= LONGEST_WAIT for attempt in range(100))
