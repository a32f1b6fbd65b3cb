"""How many rows a batch takes: numbers only."""

from __future__ import annotations

import pytest

from crmshift.batch import FIRST, BatchSize, Meter

TARGET = 0.5


def test_it_starts_small() -> None:
    assert BatchSize().rows == FIRST == 100


def test_it_grows_by_a_fifth_at_most_however_quick_it_is() -> None:
    assert BatchSize(100).after(100, 0.001, TARGET).rows == 120
    assert BatchSize(100).after(100, 0.0, TARGET).rows == 120


def test_it_grows_from_one_row_too() -> None:
    assert [BatchSize(n).after(n, 0.001, TARGET).rows for n in (1, 2, 3, 4)] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("rows", "seconds", "then"),
    [(1000, 0.5, 1000), (1000, 0.45, 1111), (1000, 1.0, 500), (1000, 5.0, 100), (1, 9.0, 1)],
)
def test_it_is_never_more_than_its_rate_lets_fit_into_the_target(rows: int, seconds: float, then: int) -> None:
    assert BatchSize(rows).after(rows, seconds, TARGET).rows == then


def test_a_batch_that_ran_out_of_rows_is_no_reason_to_grow_but_may_be_one_to_shrink() -> None:
    assert BatchSize(1000).after(10, 0.001, TARGET).rows == 1000
    assert BatchSize(1000).after(10, 0.1, TARGET).rows == 50
    assert BatchSize(1000).after(0, 0.1, TARGET).rows == 1000


def test_it_is_halved_by_trouble_down_to_one_row() -> None:
    size, seen = BatchSize(100), []
    for _ in range(9):
        size = size.after_trouble()
        seen.append(size.rows)
    assert seen == [50, 25, 12, 6, 3, 1, 1, 1, 1]


def test_it_stays_within_what_it_is_told() -> None:
    assert BatchSize(5000).within(50).rows == 50
    assert BatchSize(5000).within(10_000).rows == 5000
    assert BatchSize(5000).within(0).rows == 1


@pytest.mark.parametrize("rate", [30, 1_000, 40_000])
def test_at_a_steady_rate_it_comes_to_rest_at_the_target_and_the_way_there_is_short(rate: int) -> None:
    size, spent, batches = BatchSize(), 0.0, 0
    while size.rows < min(rate * TARGET * 0.99, 10_000) and batches < 100:
        spent, batches = spent + size.rows / rate, batches + 1
        size = size.after(size.rows, size.rows / rate, TARGET).within(10_000)
        assert size.rows <= rate * TARGET or batches == 1
    assert batches <= 26
    assert spent < 4


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    meter = Meter(0, 0)
    assert meter.rate == 0 and meter.seconds_left(100) is None
    for second in range(1, 101):
        meter.saw(second, 10 * second)
    assert meter.rate == pytest.approx(10)
    for second in range(101, 201):
        meter.saw(second, 1000 + 50 * (second - 100))
    assert meter.rate == pytest.approx(50)
    assert meter.seconds_left(500) == pytest.approx(10)
    assert meter.seconds_left(-5) == 0
    for second in range(201, 301):
        meter.saw(second, 6000)
    assert meter.seconds_left(500) is None
