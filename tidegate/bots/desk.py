"""What a person does with bots: create and clone here, everything else as a command to the engine."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypedDict

from tidegate.bots.model import Bot, BotConfig, StopPositions
from tidegate.bots.ports import Commands, Instruments, TradingAccounts
from tidegate.bots.reading.repository import BotReader
from tidegate.domain.ids import AccountId, BotId, CommandId, TenantId, TraceId
from tidegate.domain.messages import ForceExit, PauseBot, StartBot, StopBot
from tidegate.kit.clock import Clock
from tidegate.kit.ids import new_id, new_trace_id


class _Head(TypedDict):
    trace_id: TraceId
    occurred_at: int
    command_id: CommandId
    account_id: AccountId


class BotDesk:
    """Each verb answers with the bot as it stands afterwards, and whether an engine has decided."""

    def __init__(
        self,
        *,
        reader: BotReader,
        accounts: TradingAccounts,
        instruments: Instruments,
        commands: Commands,
        signal_key_of: Callable[[BotConfig], str],
        clock: Clock,
        market_now: Callable[[], int],
    ) -> None:
        self._reader = reader
        self._accounts = accounts
        self._instruments = instruments
        self._commands = commands
        self._signal_key_of = signal_key_of
        self._clock = clock
        self._market_now = market_now

    async def create(self, tenant_id: TenantId, account_id: AccountId | None, config: BotConfig) -> Bot:
        """A stopped bot; `Invalid` or `NotFound` names what its strategy or the venue does not know."""
        account = await self._accounts.account(tenant_id, account_id)
        signal_key = self._signal_key_of(config)
        await self._instruments.instrument(config.symbol)
        bot = Bot(BotId(new_id()), account.account_id, config, signal_key, created_at=self._clock.now_us())
        await self._reader.add(bot)
        return bot

    async def clone(self, tenant_id: TenantId, bot_id: BotId, name: str | None) -> Bot:
        """A stopped copy under another name."""
        original = await self._reader.bot(tenant_id, bot_id)
        config = replace(original.config, name=name or f"{original.config.name} copy")
        return await self.create(tenant_id, original.account_id, config)

    async def start(self, tenant_id: TenantId, bot_id: BotId) -> tuple[Bot, bool]:
        """Let it trade from the next bar on."""
        bot = await self._reader.bot(tenant_id, bot_id)
        return await self._send(tenant_id, StartBot(**self._head(bot), bot_id=bot_id))

    async def pause(self, tenant_id: TenantId, bot_id: BotId) -> tuple[Bot, bool]:
        """No more entries; exits are still managed."""
        bot = await self._reader.bot(tenant_id, bot_id)
        return await self._send(tenant_id, PauseBot(**self._head(bot), bot_id=bot_id))

    async def stop(self, tenant_id: TenantId, bot_id: BotId, positions: StopPositions) -> tuple[Bot, bool]:
        """End it, and do with what is open as `positions` says."""
        bot = await self._reader.bot(tenant_id, bot_id)
        return await self._send(tenant_id, StopBot(**self._head(bot), bot_id=bot_id, positions=positions.value))

    async def force_exit(self, tenant_id: TenantId, bot_id: BotId) -> tuple[Bot, bool]:
        """Withdraw its entries and sell its position at market."""
        bot = await self._reader.bot(tenant_id, bot_id)
        return await self._send(tenant_id, ForceExit(**self._head(bot), bot_id=bot_id))

    async def _send(self, tenant_id: TenantId, command: StartBot | PauseBot | StopBot | ForceExit) -> tuple[Bot, bool]:
        is_decided = await self._commands.send(command)
        return await self._reader.bot(tenant_id, command.bot_id), is_decided

    def _head(self, bot: Bot) -> _Head:
        return {
            "trace_id": new_trace_id(),
            "occurred_at": self._market_now(),
            "command_id": CommandId(new_id()),
            "account_id": bot.account_id,
        }
