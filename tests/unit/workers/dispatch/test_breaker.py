from workers.dispatch.breaker import Breaker


def failing(times: int, at: float = 0.0) -> Breaker:
    breaker = Breaker(failures=3, seconds=30)
    for _ in range(times):
        breaker.started()
        breaker.failed(at)
    return breaker


def test_a_few_failures_change_nothing() -> None:
    assert failing(2).allows(0.0)


def test_a_success_between_begins_the_count_afresh() -> None:
    breaker = failing(2)
    breaker.succeeded()
    breaker.failed(0.0)

    assert breaker.allows(0.0)


def test_a_run_of_failures_holds_back_all_attempts_for_a_while_and_then_lets_one_through() -> None:
    breaker = failing(3, at=100.0)

    assert not breaker.allows(129.9)
    assert breaker.closes_in(110.0) == 20.0
    assert breaker.allows(130.0)
    breaker.started()
    assert not breaker.allows(130.0)


def test_the_one_that_was_let_through_decides() -> None:
    healed, still = failing(3), failing(3)
    for breaker in (healed, still):
        breaker.started()
    healed.succeeded()
    still.failed(31.0)

    assert healed.allows(31.0)
    assert not healed.open
    assert not still.allows(60.9)
    assert still.allows(61.0)
