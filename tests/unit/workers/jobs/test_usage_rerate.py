"""How calls without a price are dealt out over the steps of the job that has them rated again."""

from hypothesis import given
from hypothesis import strategies as st

from stores.mongo import IDS_PER_FIND
from workers.jobs.kinds.usage_rerate import shares_of


@given(st.dictionaries(st.integers(1, 10**6), st.integers(1, 60), max_size=250), st.integers(1, 500))
def test_each_account_is_whole_in_one_step_and_steps_are_bounded(waiting: dict[int, int], calls: int) -> None:
    shares = list(shares_of(waiting, calls))

    assert [dept_id for share in shares for dept_id in share] == sorted(waiting)
    for share in shares:
        assert len(share) <= IDS_PER_FIND
        assert sum(waiting[dept_id] for dept_id in share[:-1]) < calls
    for share in shares[:-1]:
        assert len(share) == IDS_PER_FIND or sum(waiting[dept_id] for dept_id in share) >= calls
