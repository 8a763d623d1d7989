from workers.watchdog import Watchdog


def test_a_partition_with_lag_that_does_not_move_is_stuck_once_patience_is_over() -> None:
    dog = Watchdog(60)

    assert [dog.observe("p", 5, 9, excused=False, now=now) for now in (0, 30, 59, 60, 61)] == [False] * 3 + [True] * 2


def test_a_move_starts_patience_afresh() -> None:
    dog = Watchdog(60)

    seen = [
        dog.observe("p", position, 9, excused=False, now=now) for position, now in ((5, 0), (6, 59), (6, 118), (6, 119))
    ]

    assert seen == [False, False, False, True]


def test_a_partition_without_lag_may_stand_for_ever() -> None:
    dog = Watchdog(60)

    assert not any(dog.observe("p", 9, 9, excused=False, now=now) for now in (0, 100, 1000))
    # Lag that comes up now has its full time.
    assert not dog.observe("p", 9, 10, excused=False, now=1059)
    assert dog.observe("p", 9, 10, excused=False, now=1060)


def test_who_waits_for_something_known_is_not_stuck() -> None:
    dog = Watchdog(60)

    assert not any(dog.observe("p", 5, 9, excused=True, now=now) for now in (0, 100, 1000))
    assert not dog.observe("p", 5, 9, excused=False, now=1001)
    assert dog.observe("p", 5, 9, excused=False, now=1060)


def test_partitions_are_watched_each_by_itself_and_forgotten_together() -> None:
    dog = Watchdog(60)
    dog.observe("p", 5, 9, excused=False, now=0)
    dog.observe("q", 1, 9, excused=False, now=30)

    assert dog.observe("p", 5, 9, excused=False, now=60)
    assert not dog.observe("q", 1, 9, excused=False, now=60)
    dog.forget()
    assert not dog.observe("p", 5, 9, excused=False, now=100)
