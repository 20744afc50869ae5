"""Where tests kill the engine around a commit: before it nothing may have happened, after it nothing may be lost."""

from collections.abc import Sequence

from tidegate.app.account import Account
from tidegate.app.courier import CallAnswered, kind_of
from tidegate.app.writing import Written
from tidegate.domain.messages import OrderFilled
from tidegate.domain.orders import OrderPurpose
from tidegate.kit.crash import CrashKind, CrashPoint, crash_point

BEFORE_COMMIT = (CrashPoint.BEFORE_COMMIT, CrashPoint.ANSWER_BEFORE_COMMIT, CrashPoint.FILL_BEFORE_COMMIT)
AFTER_COMMIT = (CrashPoint.AFTER_COMMIT, CrashPoint.ANSWER_AFTER_COMMIT, CrashPoint.FILL_AFTER_COMMIT)


def around_commit(
    stimulus: object,
    written: Sequence[tuple[Account, Written]],
    points: tuple[CrashPoint, CrashPoint, CrashPoint],
) -> None:
    """Where tests kill the process: around the commit of calls that follow, of an answer, and of fills."""
    intent, answer, fill = points
    for account, (facts, calls) in written:
        for call in calls:
            crash_point(intent, kind_of(call))
        for fact in facts:
            if isinstance(fact, OrderFilled):
                purpose = account.execution.orders.get(fact.client_order_id).intent.purpose
                crash_point(fill, CrashKind.ENTRY if purpose is OrderPurpose.ENTRY else CrashKind.STOP)
    if isinstance(stimulus, CallAnswered):
        crash_point(answer, kind_of(stimulus.call))
