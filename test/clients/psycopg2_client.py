"""psycopg 2.  README.md describes the output."""

import threading
import time

import psycopg2

from report import as_json, await_stall, tell


def metadata(cursor):
    for table in ("people", "staff", "special"):
        cursor.execute(f"SELECT * FROM hr.{table} LIMIT 0")
        for column in cursor.description:
            tell("column", table, column.name, column.type_code)


def values(cursor):
    cursor.execute("SELECT * FROM hr.special ORDER BY employee_number")
    names = [column.name for column in cursor.description]
    for row in cursor:
        for name, value in zip(names, row):
            tell("value", row[0], name, type(value).__name__, as_json(value))


def prepared(cursor):
    cursor.execute("SELECT id FROM hr.special"
                   " WHERE employee_number <= 8 ORDER BY employee_number")
    ids = [row[0] for row in cursor]
    cursor.execute("PREPARE by_id (text) AS"
                   " SELECT email FROM hr.people WHERE id = $1")
    for id in ids:
        cursor.execute("EXECUTE by_id (%s)", (id,))
        tell("prepared", id, as_json(cursor.fetchone()[0]))
    cursor.execute("SELECT sum(generic_plans + custom_plans)"
                   " FROM pg_prepared_statements WHERE name = 'by_id'")
    tell("plans", cursor.fetchone()[0])


def goes_on(cursor):
    cursor.execute("SELECT count(*) FROM hr.people")
    tell("continues", cursor.fetchone()[0])


def cancelled(cursor):
    began = []

    def cancel():
        await_stall()
        began.append(time.monotonic())
        cursor.connection.cancel()

    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    try:
        cursor.execute("SELECT count(email) FROM slow.people")
        tell("cancelled", "no error", 0)
    except psycopg2.Error as error:
        took = time.monotonic() - began[0] if began else -1
        tell("cancelled", error.pgcode, round(1000 * took))
    thread.join()
    time.sleep(0.2)
    goes_on(cursor)


def refused(cursor):
    try:
        cursor.execute("SELECT count(*) FROM locked.people")
        tell("error", "no error", '""')
    except psycopg2.Error as error:
        tell("error", error.pgcode, as_json(error.diag.message_hint))
    goes_on(cursor)


def streamed(connection):
    connection.autocommit = False
    with connection.cursor("named") as cursor, connection.cursor() as other:
        cursor.itersize = 50
        cursor.execute("SELECT id, work_phone FROM hr.people")
        rows = [next(cursor)]
        other.execute("SELECT count(*) FROM pg_cursors"
                      " WHERE statement LIKE '%hr.people%'"
                      " AND statement NOT LIKE '%pg_cursors%'")
        rows += cursor
        tell("streamed", len(set(rows)), other.fetchone()[0])
    with connection.cursor("another") as cursor:
        cursor.execute("SELECT id, work_phone FROM hr.people")
        tell("left", len(cursor.fetchmany(10)))
    connection.commit()


def main():
    connection = psycopg2.connect("")
    connection.autocommit = True
    tell("version", "psycopg " + psycopg2.__version__.split()[0])
    with connection.cursor() as cursor:
        metadata(cursor)
        values(cursor)
        prepared(cursor)
        cancelled(cursor)
        refused(cursor)
    streamed(connection)
    connection.close()


main()
