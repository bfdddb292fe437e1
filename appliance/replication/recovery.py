"""Where a central's knowledge of the chain ends, found by bisection when what is sent comes too early for it.

It lacks what it had signed for, or this box has forgotten that it was never taken: between a line that
central has and one that is too early lies the first that it lacks.
"""

from collections.abc import Callable, Sequence

from appliance.model.errors import ReplicationError
from appliance.replication.book import Verdict
from appliance.replication.holdings import Gone
from appliance.replication.missing import Item, Urgency
from appliance.replication.targets import Conflict, Refused, TooEarly

Stuck = tuple[Item, str, str]
"""An object that has to wait, the alarm that this is, and why."""


def begin_anew(
    lines: Sequence[Item], item: Item, error: TooEarly, deposit: Callable[[Item], Verdict]
) -> Stuck | None:
    """Deposit the first line that central lacks of those before `item`, which was too early with `error`.

    None when central took it: from there on lines go in order again. Raises what else `deposit` raises:
    Unreachable, Untrusted, StorageError.
    """
    low, high = -1, min(item.line, len(lines) - 1)
    if item.urgency is not Urgency.LINE:
        high += 1  # it rests on its own line, so that one may be the first to lack
    while high - low > 1:
        middle = (low + high) // 2
        try:
            if deposit(lines[middle]) is not Verdict.KNOWN:
                return None
            low = middle
        except TooEarly:
            high = middle
        except (Conflict, Refused, Gone) as other:
            return lines[middle], "refused", str(other) or str(error)
        except ReplicationError as other:
            if type(other) is not ReplicationError:
                raise
            return lines[middle], "damaged", str(other)
    return item, "refused", str(error)
