"""The portfolio of an account, put together when it is asked for."""

from tidegate.domain.errors import NotFound
from tidegate.domain.ids import AccountId, TenantId
from tidegate.portfolio.model import Portfolio, valued
from tidegate.portfolio.ports import Holdings, Mark, Marks, Trading, VisibleAccounts


class PortfolioReader:
    """Questions of users and pages; a caller sees the accounts of the own tenant and no others."""

    def __init__(self, *, accounts: VisibleAccounts, holdings: Holdings, trading: Trading, marks: Marks) -> None:
        self._accounts = accounts
        self._holdings = holdings
        self._trading = trading
        self._marks = marks

    async def portfolios(self, tenant_id: TenantId, currency: str) -> list[Portfolio]:
        """One for each account of the tenant, by account id."""
        visible = sorted(await self._accounts.visible_to(tenant_id))
        return [await self._portfolio(account_id, currency) for account_id in visible]

    async def portfolio(self, tenant_id: TenantId, account_id: AccountId, currency: str) -> Portfolio:
        """One account; not found when it belongs to another tenant."""
        if account_id not in await self._accounts.visible_to(tenant_id):
            raise NotFound(f"No account {account_id!r}.", code="portfolio.account_not_found")
        return await self._portfolio(account_id, currency)

    async def _portfolio(self, account_id: AccountId, currency: str) -> Portfolio:
        balances = await self._holdings.holdings(account_id)
        executions = await self._trading.executions(account_id)
        positions = await self._trading.open_positions(account_id)
        assets = {balance.asset for balance in balances} | {execution.base for execution in executions}
        symbols = {f"{asset}/{currency}" for asset in assets if asset != currency}
        symbols |= {position.symbol for position in positions}
        marks: dict[str, Mark | None] = {symbol: await self._marks.mark(symbol) for symbol in sorted(symbols)}
        return valued(account_id, currency, balances=balances, executions=executions, positions=positions, marks=marks)
