# SPDX-License-Identifier: EUPL-1.2
"""The shapes of exchanges in memory, numbered in the order in which they were read, with a mask for each facet's value.

A choice is thereby a mask over shapes (`broker.storage.slices`), made of a few bitwise operations.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_
from typing import Any

from broker.storage.projected import FACETS, Filter, Shape, Sight
from broker.storage.slices import Mask, mask_of
from sluis.errors import Defect

Values = Mapping[str, Mapping[str, Mask]]
Flow = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """Shapes by number; `having` tells by facet and value which have it, `flows` by sender and recipient.

    Never changed: more shapes make another one of these, in which every number stays what it is.
    """

    shapes: Sequence[Shape] = ()
    numbers: Mapping[int, int] = field(default_factory=dict)  # by shape id
    having: Values = field(default_factory=lambda: {facet: {} for facet in FACETS})
    flows: Mapping[Flow, Mask] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.shapes)

    def with_more(self, rows: Iterable[Any]) -> "Shapes":
        """These and the new ones of `rows`. Raises Defect for a row that is not what its number says."""
        new = [_parse(row) for row in rows if row.shape_id not in self.numbers]
        if not new:
            return self
        start, size = len(self.shapes), len(self.shapes) + len(new)
        values: dict[tuple[str, str], list[int]] = {}
        between: dict[Flow, list[int]] = {}
        for number, shape in enumerate(new, start):
            between.setdefault((shape.sender, shape.recipient), []).append(number)
            for facet in FACETS:
                for value in shape.values(facet):
                    values.setdefault((facet, value), []).append(number)
        having, flows = {facet: dict(masks) for facet, masks in self.having.items()}, dict(self.flows)
        for (facet, value), numbers in values.items():
            having[facet][value] = having[facet].get(value, 0) | mask_of(numbers, size)
        for flow, numbers in between.items():
            flows[flow] = flows.get(flow, 0) | mask_of(numbers, size)
        return Shapes(
            shapes=[*self.shapes, *new],
            numbers={**self.numbers, **{shape.shape_id: start + place for place, shape in enumerate(new)}},
            having=having,
            flows=flows,
        )

    def is_under(self, mask: Mask, shape_id: int) -> bool:
        """Whether a mask holds a shape."""
        return bool(mask >> self.numbers[shape_id] & 1)

    def seen(self, sight: Sight) -> Mask:
        """The shapes that are counted and may be seen."""
        decided = reduce(or_, self.having["result"].values(), 0)
        if sight.organisation is None:
            return decided
        mine = (self.having[side].get(sight.organisation, 0) for side in ("sender", "recipient"))
        return decided & reduce(or_, mine)

    def chosen(self, sight: Sight, chosen: Filter, *, but: str = "") -> Mask:
        """The shapes of a choice within a sight; `but` names a facet whose choice does not count."""
        mask = self.seen(sight)
        for facet, values in chosen.chosen.items():
            if values and facet != but:
                mask &= reduce(or_, (self.having[facet].get(value, 0) for value in values))
        return mask

    @cached_property
    def _all(self) -> Mask:
        return (1 << len(self.shapes)) - 1


def _parse(row: Any) -> Shape:
    shape = Shape.parse(row.content)
    if shape.shape_id != row.shape_id:
        raise Defect("defect", "a stored shape of exchanges is not what its number says")
    return shape
