"""psqlODBC with unixODBC and pyodbc.  README.md describes the output."""

import glob
import os
import threading
import time

import pyodbc

from report import as_json, await_stall, tell


# Without OptionalErrors the driver does not return the hint of an error.
def connect(autocommit, **options):
    env = os.environ
    options = {"Driver": "PostgreSQL Unicode", "Server": env["PGHOST"],
               "Port": env["PGPORT"], "Database": env["PGDATABASE"],
               "Uid": env["PGUSER"], "Pwd": env["PGPASSWORD"],
               "BoolsAsChar": 0, "UseServerSidePrepare": 1,
               "OptionalErrors": 1, **options}
    return pyodbc.connect(";".join(f"{k}={v}" for k, v in options.items()),
                          autocommit=autocommit)


def metadata(cursor):
    for table in ("people", "staff", "special"):
        for row in cursor.tables(schema="hr", table=table):
            tell("table", table, row.table_type)
        for row in cursor.columns(schema="hr", table=table).fetchall():
            tell("column", table, row.column_name, row.type_name)


def values(cursor):
    cursor.execute("SELECT * FROM hr.special ORDER BY employee_number")
    names = [column[0] for column in cursor.description]
    for row in cursor.fetchall():
        for name, value in zip(names, row):
            tell("value", row[0], name, type(value).__name__, as_json(value))


def prepared(cursor):
    cursor.execute("SELECT id FROM hr.special"
                   " WHERE employee_number <= 8 ORDER BY employee_number")
    ids = [row[0] for row in cursor.fetchall()]
    for id in ids:
        # The same text again runs the prepared statement.
        cursor.execute("SELECT email FROM hr.people WHERE id = ?", id)
        tell("prepared", id, as_json(cursor.fetchone()[0]))
    other = cursor.connection.cursor()
    other.execute("SELECT sum(generic_plans + custom_plans)"
                  " FROM pg_prepared_statements"
                  " WHERE statement LIKE '%FROM hr.people WHERE id%'"
                  " AND statement NOT LIKE '%pg_prepared%'")
    tell("plans", other.fetchone()[0])


def goes_on(cursor):
    cursor.execute("SELECT count(*) FROM hr.people")
    tell("continues", cursor.fetchone()[0])


def cancelled(cursor):
    began = []

    def cancel():
        await_stall()
        began.append(time.monotonic())
        cursor.cancel()

    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    try:
        cursor.execute("SELECT count(email) FROM slow.people")
        tell("cancelled", "no error", 0)
    except pyodbc.Error as error:
        took = time.monotonic() - began[0] if began else -1
        tell("cancelled", error.args[0], round(1000 * took))
    thread.join()
    time.sleep(0.2)
    goes_on(cursor)


def refused(cursor):
    try:
        cursor.execute("SELECT count(*) FROM locked.people")
        tell("error", "no error", '""')
    except pyodbc.Error as error:
        tell("error", error.args[0], as_json(error.args[1]))
    goes_on(cursor)


def streamed():
    connection = connect(False, UseDeclareFetch=1, Fetch=50)
    cursor = connection.cursor()
    cursor.execute("SELECT id, work_phone FROM hr.people")
    rows = [tuple(cursor.fetchone())]
    other = connection.cursor()
    other.execute("SELECT count(*) FROM pg_cursors"
                  " WHERE statement LIKE '%hr.people%'"
                  " AND statement NOT LIKE '%pg_cursors%'")
    rows += map(tuple, cursor)
    tell("streamed", len(set(rows)), other.fetchone()[0])
    cursor.execute("SELECT id, work_phone FROM hr.people")
    tell("left", len(cursor.fetchmany(10)))
    cursor.close()
    connection.commit()
    connection.close()


def main():
    connection = connect(True)
    tell("version", "psqlODBC " + connection.getinfo(pyodbc.SQL_DRIVER_VER)
         + ", pyodbc " + pyodbc.version)
    cursor = connection.cursor()
    metadata(cursor)
    values(cursor)
    prepared(cursor)
    cancelled(cursor)
    refused(cursor)
    connection.close()
    streamed()
    # The driver always writes a log of two lines.
    for name in glob.glob(f"/tmp/psqlodbc_*{os.getpid()}.log"):
        os.remove(name)


main()
