from cleanroom.gateway.pace import LEAST_BYTES, LONGEST_S, WINDOW_S, Pace


def test_a_drip_ends_with_the_window() -> None:
    pace, now = Pace(1000.0), 1000.0
    while not (why := pace.took(1, now)):
        now += 29.0
        assert now <= 1000 + WINDOW_S + 29
    assert why == "sends less than 65536 bytes in 5 minutes"


def test_who_sends_enough_in_each_window_may_go_on_for_hours() -> None:
    pace, now = Pace(0.0), 0.0
    while now < LONGEST_S:
        now += WINDOW_S / 2
        assert pace.took(LEAST_BYTES // 2, now) == ""
    assert pace.took(1 << 30, now + 1) == "takes longer than 4 hours"


def test_what_came_fast_at_first_does_not_count_for_later() -> None:
    pace = Pace(0.0)
    assert pace.took(1 << 30, WINDOW_S) == ""
    assert pace.took(1, WINDOW_S + 1) == ""
    assert pace.took(1, 2 * WINDOW_S) != ""


def test_a_pause_begins_a_window_anew_and_the_longest_time_goes_on() -> None:
    pace = Pace(0.0)
    pace.resume(WINDOW_S - 1)
    assert pace.took(1, WINDOW_S + 1) == ""
    pace.resume(LONGEST_S)
    assert pace.took(1 << 30, LONGEST_S + 1) == "takes longer than 4 hours"
