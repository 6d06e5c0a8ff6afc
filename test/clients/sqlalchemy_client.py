"""SQLAlchemy and pandas: what they list, and data frames from a foreign table and
from a mirror.  Prints one JSON object.
"""

import json
import sys

import pandas
import sqlalchemy
from sqlalchemy import MetaData, Table, create_engine, inspect, select, text


def lists(engine):
    inspector = inspect(engine)
    columns = inspector.get_columns("people", schema="hr")
    return {
        "tables": sorted(inspector.get_table_names(schema="hr")),
        "views": sorted(inspector.get_view_names(schema="hr")),
        "materialized": sorted(
            inspector.get_view_names(schema="hr", include="materialized")),
        "foreign": sorted(inspector.get_foreign_table_names(schema="hr")),
        "columns": {column["name"]: str(column["type"]) for column in columns},
        "comments": {column["name"]: column["comment"] for column in columns},
        "people_key": inspector.get_pk_constraint(
            "people", schema="hr")["constrained_columns"],
        "roster_key": inspector.get_pk_constraint(
            "roster", schema="hr")["constrained_columns"],
    }


def by_id(engine, ids):
    people = Table("people", MetaData(), schema="hr", autoload_with=engine)
    with engine.connect() as connection:
        rows = connection.execute(
            select(people.c.id, people.c.email).where(people.c.id.in_(ids)))
        return {row.id: row.email for row in rows}


def frame(engine):
    data = pandas.read_sql(
        text("SELECT id, department, start_date, termination_date, fte,"
             " is_manager FROM hr.people"),
        engine, parse_dates=["start_date", "termination_date"])
    return {
        "rows": len(data),
        "types": {name: str(type) for name, type in data.dtypes.items()},
        "departments": data.groupby("department")["id"].count().to_dict(),
        "left": int(data["termination_date"].notna().sum()),
        "fte": round(float(data["fte"].sum()), 2),
    }


def chunks(engine):
    with engine.connect().execution_options(stream_results=True) as connection:
        sizes = [len(data) for data in pandas.read_sql(
            text("SELECT id, email FROM hr.people"), connection, chunksize=50)]
    return sizes


def mirror(engine):
    data = pandas.read_sql_table("roster", engine, schema="hr")
    return {"rows": len(data), "columns": len(data.columns),
            "ids": data["id"].nunique()}


def error(engine):
    try:
        pandas.read_sql(text("SELECT count(*) FROM locked.people"), engine)
        return None
    except sqlalchemy.exc.DBAPIError as refused:
        return [refused.orig.pgcode, refused.orig.diag.message_hint]


STEPS = {"lists": lists, "frame": frame, "chunks": chunks, "mirror": mirror,
         "error": error}


def main():
    engine = create_engine("postgresql+psycopg2://")
    step = sys.argv[1]
    if step == "version":
        result = f"SQLAlchemy {sqlalchemy.__version__}, pandas {pandas.__version__}"
    elif step == "by_id":
        result = by_id(engine, sys.argv[2:])
    else:
        result = STEPS[step](engine)
    print(json.dumps(result))


main()
