"""What the home pages make of sums: trends, tops, growth. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from schemas.mt.common import yuan
from schemas.mt.statistics import TOP_PRODUCTS, CallStatistics, DatedCallCount, ProductCallCount

Names = Mapping[str, str]


class ProductSum(msgspec.Struct, frozen=True):
    """The calls of a product and tag on a date (or in all, where `date` is "")."""

    date: str
    item: str
    tag: str
    count: int
    fee_micro: int


def growth(now: int, before: int) -> Decimal | None:
    """In percent with two places; None where there was nothing to grow from."""
    if before == 0:
        return None
    return (Decimal(now - before) * 100 / abs(before)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def labelled(item: str, tag: str, names: Names) -> str:
    """A product's name with the tag."""
    name = names.get(item, item)
    return f"{name}({tag})" if tag else name


def product_rows(sums: Iterable[ProductSum], names: Names) -> list[ProductCallCount]:
    return [
        ProductCallCount(
            check_item=each.item,
            check_item_name=labelled(each.item, each.tag, names),
            tag=each.tag,
            count=each.count,
            fee=yuan(each.fee_micro),
        )
        for each in sums
    ]


def by_count(each: ProductSum) -> tuple[int, str, str]:
    return -each.count, each.item, each.tag


def by_fee(each: ProductSum) -> tuple[int, str, str]:
    return -each.fee_micro, each.item, each.tag


def trend(sums: Iterable[ProductSum], dates: Iterable[str], names: Names) -> list[DatedCallCount]:
    """A row for each of the dates, those without calls too."""
    of_date: dict[str, list[ProductSum]] = {date: [] for date in dates}
    for each in sums:
        if each.date in of_date:
            of_date[each.date].append(each)
    return [
        DatedCallCount(
            date=date,
            items=product_rows(sorted(those, key=by_count)[:TOP_PRODUCTS], names),
            item_count=len({each.item for each in those}),
            total_count=sum(each.count for each in those),
            total_fee=yuan(sum(each.fee_micro for each in those)),
        )
        for date, those in of_date.items()
    ]


def statistics(sums: Sequence[ProductSum], dates: Iterable[str], names: Names) -> CallStatistics:
    """The whole of a span: totals, products by calls and by fees, and the trend."""
    totals = in_all(sums)

    def rows(order: Callable[[ProductSum], tuple[int, str, str]]) -> list[ProductCallCount]:
        return product_rows(sorted(totals, key=order), names)

    return CallStatistics(
        total_count=sum(each.count for each in totals),
        total_fee=yuan(sum(each.fee_micro for each in totals)),
        item_counts=rows(by_count),
        item_fees=rows(by_fee),
        dates=trend(sums, dates, names),
        check_items=sorted({each.item for each in totals}),
    )


def in_all(sums: Iterable[ProductSum]) -> list[ProductSum]:
    """By product and tag, over all dates."""
    totals: dict[tuple[str, str], tuple[int, int]] = {}
    for each in sums:
        count, fee_micro = totals.get((each.item, each.tag), (0, 0))
        totals[each.item, each.tag] = count + each.count, fee_micro + each.fee_micro
    return [ProductSum("", item, tag, count, fee_micro) for (item, tag), (count, fee_micro) in totals.items()]
