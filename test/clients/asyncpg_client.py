"""asyncpg: the binary format, and a prepared statement for each query.  README.md
describes the output.
"""

import asyncio
import json
import time

import asyncpg

from report import as_json, is_stalled, tell


async def metadata(connection):
    for table in ("people", "staff", "special"):
        statement = await connection.prepare(f"SELECT * FROM hr.{table} LIMIT 0")
        for column in statement.get_attributes():
            tell("column", table, column.name, column.type.oid)


async def values(connection):
    await connection.set_type_codec("jsonb", schema="pg_catalog",
                                    encoder=json.dumps, decoder=json.loads)
    for row in await connection.fetch(
            "SELECT * FROM hr.special ORDER BY employee_number"):
        for name, value in row.items():
            tell("value", row[0], name, type(value).__name__, as_json(value))


async def prepared(connection):
    ids = await connection.fetch(
        "SELECT id FROM hr.special"
        " WHERE employee_number <= 8 ORDER BY employee_number")
    statement = await connection.prepare(
        "SELECT email FROM hr.people WHERE id = $1")
    for (id,) in ids:
        tell("prepared", id, as_json(await statement.fetchval(id)))
    tell("plans", await connection.fetchval(
        "SELECT sum(generic_plans + custom_plans)::int"
        " FROM pg_prepared_statements WHERE name = $1", statement.get_name()))


async def goes_on(connection):
    tell("continues", await connection.fetchval("SELECT count(*) FROM hr.people"))


async def until_stalled(expected):
    while is_stalled() != expected:
        await asyncio.sleep(0.02)


# A cancelled task cancels its query, whose error is not passed on: it is that of
# the same query when another session cancels it.
async def cancelled(connection):
    query = "SELECT count(email) FROM slow.people"
    task = asyncio.create_task(connection.fetch(query))
    await until_stalled(True)
    began = time.monotonic()
    task.cancel()
    try:
        await task
        tell("cancelled", "no error", 0)
    except asyncio.CancelledError:
        await tell_state(connection, query, began)
    await goes_on(connection)


async def tell_state(connection, query, began):
    await connection.fetchval("SELECT 1")
    took = round(1000 * (time.monotonic() - began))
    other = await asyncpg.connect()
    await until_stalled(False)
    task = asyncio.create_task(connection.fetch(query))
    await until_stalled(True)
    await other.fetchval("SELECT pg_cancel_backend($1)",
                         connection.get_server_pid())
    await other.close()
    try:
        await task
        tell("cancelled", "no error", took)
    except asyncpg.PostgresError as error:
        tell("cancelled", error.sqlstate, took)
    await asyncio.sleep(0.2)


async def refused(connection):
    try:
        await connection.fetchval("SELECT count(*) FROM locked.people")
        tell("error", "no error", '""')
    except asyncpg.PostgresError as error:
        tell("error", error.sqlstate, as_json(error.hint))
    await goes_on(connection)


async def streamed(connection):
    query = "SELECT id, work_phone FROM hr.people"
    async with connection.transaction():
        rows = []
        open_cursors = 0
        async for row in connection.cursor(query, prefetch=50):
            if not rows:
                open_cursors = await connection.fetchval(
                    "SELECT count(*) FROM pg_cursors"
                    " WHERE statement LIKE '%hr.people%'"
                    " AND statement NOT LIKE '%pg_cursors%'")
            rows.append(tuple(row))
        tell("streamed", len(set(rows)), open_cursors)
    async with connection.transaction():
        cursor = await connection.cursor(query)
        tell("left", len(await cursor.fetch(10)))


async def main():
    connection = await asyncpg.connect()
    tell("version", "asyncpg " + asyncpg.__version__)
    await metadata(connection)
    await values(connection)
    await prepared(connection)
    await cancelled(connection)
    await refused(connection)
    await streamed(connection)
    await connection.close()


asyncio.run(main())
