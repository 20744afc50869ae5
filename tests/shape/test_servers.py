"""The servers that other tests rely on are real, private and empty."""

import psycopg
import redis

from tests.servers import PostgresServer


def test_each_test_gets_an_empty_database_of_a_durable_server(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        settings = connection.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        assert (tables, settings.fetchone()) == ((0,), ("on", "on"))


def test_a_database_is_cloned_from_a_template_with_its_rows(postgres_server: PostgresServer) -> None:
    template = postgres_server.create_database()
    with psycopg.connect(template) as connection:
        connection.execute("CREATE TABLE tides AS SELECT 7 AS height")
    clone = postgres_server.create_database(template=template.rpartition("/")[2])
    with psycopg.connect(clone) as connection:
        assert connection.execute("SELECT height FROM tides").fetchone() == (7,)
    postgres_server.drop_database(clone)
    postgres_server.drop_database(template)


def test_each_test_gets_an_empty_valkey(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left behind", "by this test, wiped before the next")
