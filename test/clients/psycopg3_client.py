"""psycopg 3, with values in the binary format and queries in pipelines.  README.md
describes the output.
"""

import threading
import time

import psycopg

from report import as_json, await_stall, tell


def metadata(cursor):
    for table in ("people", "staff", "special"):
        cursor.execute(f"SELECT * FROM hr.{table} LIMIT 0")
        for column in cursor.description:
            tell("column", table, column.name, column.type_code)


def values(connection):
    with connection.cursor(binary=True) as cursor:
        cursor.execute("SELECT * FROM hr.special ORDER BY employee_number")
        names = [column.name for column in cursor.description]
        for row in cursor:
            for name, value in zip(names, row):
                tell("value", row[0], name, type(value).__name__,
                     as_json(value))


# A pipeline sends all executions before it reads the first result.
def prepared(connection):
    ids = [row[0] for row in connection.execute(
        "SELECT id FROM hr.special"
        " WHERE employee_number <= 8 ORDER BY employee_number")]
    with connection.pipeline():
        cursors = [connection.execute(
            "SELECT email FROM hr.people WHERE id = %s", (id,), prepare=True)
            for id in ids]
        for id, cursor in zip(ids, cursors):
            tell("prepared", id, as_json(cursor.fetchone()[0]))
    tell("plans", connection.execute(
        "SELECT sum(generic_plans + custom_plans) FROM pg_prepared_statements"
        " WHERE statement LIKE '%hr.people%'").fetchone()[0])


def goes_on(connection):
    tell("continues", connection.execute(
        "SELECT count(*) FROM hr.people").fetchone()[0])


def cancelled(connection):
    began = []

    def cancel():
        await_stall()
        began.append(time.monotonic())
        connection.cancel()

    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    try:
        connection.execute("SELECT count(email) FROM slow.people")
        tell("cancelled", "no error", 0)
    except psycopg.Error as error:
        took = time.monotonic() - began[0] if began else -1
        tell("cancelled", error.sqlstate, round(1000 * took))
    thread.join()
    time.sleep(0.2)
    goes_on(connection)


# An error in a pipeline: the statements after it are not run.
def refused(connection):
    try:
        with connection.pipeline():
            connection.execute("SELECT count(*) FROM locked.people")
            connection.execute("SELECT count(*) FROM hr.people")
        tell("error", "no error", '""')
    except psycopg.errors.PipelineAborted as error:
        tell("error", "aborted", as_json(str(error)))
    except psycopg.Error as error:
        tell("error", error.sqlstate, as_json(error.diag.message_hint))
    goes_on(connection)


def streamed(connection):
    with connection.transaction():
        with connection.cursor("named", binary=True) as cursor:
            cursor.itersize = 50
            cursor.execute("SELECT id, work_phone FROM hr.people")
            rows = [cursor.fetchone()]
            open_cursors = connection.execute(
                "SELECT count(*) FROM pg_cursors"
                " WHERE statement LIKE '%hr.people%'"
                " AND statement NOT LIKE '%pg_cursors%'").fetchone()[0]
            rows += cursor
            tell("streamed", len(set(rows)), open_cursors)
        with connection.cursor("another") as cursor:
            cursor.execute("SELECT id, work_phone FROM hr.people")
            tell("left", len(cursor.fetchmany(10)))


def main():
    with psycopg.connect("", autocommit=True) as connection:
        tell("version", "psycopg " + psycopg.__version__)
        metadata(connection.cursor())
        values(connection)
        prepared(connection)
        cancelled(connection)
        refused(connection)
        streamed(connection)


main()
