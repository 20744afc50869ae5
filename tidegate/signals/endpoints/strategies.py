"""/api/v1/strategies: the strategies that are ready, with their parameters, ranges and defaults."""

from fastapi import APIRouter

from tidegate.kit.http import CurrentCaller, Page
from tidegate.signals.schemas import StrategyView, strategy_view
from tidegate.strategies.catalogue import READY, entry_of

router = APIRouter()


@router.get("")
async def list_strategies(caller: CurrentCaller) -> Page[StrategyView]:
    """All of them, by name."""
    return Page(items=[strategy_view(READY[name]) for name in sorted(READY)])


@router.get("/{name}")
async def get_strategy(caller: CurrentCaller, name: str) -> StrategyView:
    """One strategy; 404 names those there are."""
    return strategy_view(entry_of(READY, name))
