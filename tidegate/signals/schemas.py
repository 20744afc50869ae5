"""What the endpoints answer."""

from msgspec.structs import asdict
from pydantic import BaseModel

from tidegate.domain.messages import wire_name
from tidegate.domain.orders import Side
from tidegate.kit.http import DecimalText, Moment
from tidegate.signals.recent import HeardSignal
from tidegate.strategies.arming import ArmingOptions
from tidegate.strategies.catalogue import StrategyEntry
from tidegate.strategies.parameters import ParameterSpec, Value, specs_of, values_of


class SignalView(BaseModel):
    """One signal; what its kind does not have is null."""

    id: str
    name: str  # its wire name, such as signals.signal_triggered.v1
    signal_key: str
    symbol: str
    timeframe: str
    bar_opened_at: Moment
    occurred_at: Moment
    close: DecimalText
    trace_id: str
    side: Side | None = None
    is_entry: bool | None = None
    reason: str | None = None
    entry_price: DecimalText | None = None
    invalidation_price: DecimalText | None = None
    expires_at: Moment | None = None
    stop_loss_price: DecimalText | None = None
    take_profit_price: DecimalText | None = None
    phase: str | None = None
    verdict: str | None = None
    values: dict[str, float] | None = None


class ParameterView(BaseModel):
    """One parameter; `low` and `high` bound numbers and may be used themselves."""

    name: str
    kind: str
    default: bool | int | float | str
    doc: str
    low: float | None
    high: float | None
    choices: list[str]


class StrategyView(BaseModel):
    """A ready strategy, what it is told, and when it loses."""

    name: str
    title: str
    summary: str
    loses_when: str
    parameters: list[ParameterView]
    arming: list[ParameterView]


def signal_view(heard: HeardSignal) -> SignalView:
    """The view of one signal of any kind."""
    return SignalView(id=heard.id, name=wire_name(heard.signal), **asdict(heard.signal))


def strategy_view(entry: StrategyEntry) -> StrategyView:
    """The view of one strategy, with the arming defaults that it has."""
    arming = values_of(entry.arming)
    return StrategyView(
        name=entry.name,
        title=entry.title,
        summary=entry.summary,
        loses_when=entry.loses_when,
        parameters=[_parameter_view(spec, spec.default) for spec in specs_of(entry.parameters)],
        arming=[_parameter_view(spec, arming[spec.name]) for spec in specs_of(ArmingOptions)],
    )


def _parameter_view(spec: ParameterSpec, default: Value) -> ParameterView:
    return ParameterView(
        name=spec.name,
        kind=spec.kind,
        default=default,
        doc=spec.doc,
        low=spec.low,
        high=spec.high,
        choices=list(spec.choices),
    )
