"""`tidegate db`: the schema of the database."""

import asyncio

import typer

from tidegate.app.cli.speaking import AsJson, ExitCode, say, say_json, warn
from tidegate.app.settings import Settings, load_settings

verbs = typer.Typer(name="db", help="The database's schema.", no_args_is_help=True, rich_markup_mode=None)


@verbs.command()
def upgrade(as_json: AsJson = False) -> None:
    """Bring the database to this version's schema, after a backup, and found it the first time."""
    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    before, after, backup = _migrate(settings.database)
    setup_token = asyncio.run(_make_ready(settings))
    if as_json:
        say_json({"before": before, "after": after, "backup": backup, "setup_token": setup_token})
        return
    if before == after:
        say(f"The database is at revision {after} already.")
    else:
        say(f"The database went from revision {before or 'none'} to {after}.")
    if backup is not None:
        say(f"Its state before is in {backup}.")
    if setup_token is not None:
        say(f"Set-up token of the first owner: {setup_token}")


@verbs.command()
def check(as_json: AsJson = False) -> None:
    """Tell what keeps this version from using the database; exit code 1 if something does."""
    from tidegate.kit.db.migrations import check as problems_of

    problems = problems_of(load_settings(needs_secrets=False).database)
    if as_json:
        say_json({"problems": problems})
    elif not problems:
        say("The database is as it should be.")
    else:
        for sentence in problems:
            warn(sentence)
    if problems:
        raise typer.Exit(int(ExitCode.FAILED))


def _migrate(url: str) -> tuple[str | None, str | None, str | None]:
    """The revisions before and after, and where the backup is; every start comes here, and most find nothing to do."""
    from tidegate.kit.db.revision import is_newest, newest_revision

    if is_newest(url):
        return newest_revision(), newest_revision(), None
    from tidegate.kit.db.migrations import NotMigrated
    from tidegate.kit.db.migrations import check as problems_of
    from tidegate.kit.db.migrations import upgrade as run_migrations

    done = run_migrations(url)
    problems = problems_of(url)
    if problems:
        raise NotMigrated(problems[0])
    return done.before, done.after, None if done.backup is None else str(done.backup)


async def _make_ready(settings: Settings) -> str | None:
    from tidegate.app.first_start import make_ready
    from tidegate.kit.clock import SystemClock
    from tidegate.kit.db import Database

    database = Database(settings.database)
    try:
        return (await make_ready(database, settings.data_dir, SystemClock())).setup_token
    finally:
        await database.close()
