"""Makes a database as an older version of Pinfold would have it, with the same pins: older.py NEW OLD VERSION MIGRATIONS

Its tables are made by the migrations up to VERSION; of each row it gets what they have columns for.
"""
import pathlib
import re
import sqlite3
import sys

new, old, version, migrations = sys.argv[1:]
files = {int(re.match(r"V(\d+)__", file.name)[1]): file for file in pathlib.Path(migrations).glob("V*.sql")}

made = sqlite3.connect(old)
# Newer than the SQLite of many a Python.
made.create_function("octet_length", 1, lambda value: None if value is None else len(value.encode() if isinstance(value, str) else value))
for number in sorted(files):
    if number <= int(version):
        made.executescript(files[number].read_text())

made.execute("ATTACH ? AS new", [new])
made.execute(made.execute("SELECT sql FROM new.sqlite_schema WHERE name = 'refinery_schema_history'").fetchone()[0])


def columns(schema, table):
    return [row[1] for row in made.execute(f"PRAGMA {schema}.table_info({table})")]


tables = [name for (name,) in made.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
for table in tables:
    both = ", ".join(column for column in columns("main", table) if column in columns("new", table))
    made.execute(f"DELETE FROM main.{table}")
    made.execute(f"INSERT INTO main.{table}({both}) SELECT {both} FROM new.{table}")
made.execute("DELETE FROM main.refinery_schema_history WHERE version > ?", [version])
made.commit()
print(*made.execute("SELECT max(version), (SELECT count(*) FROM main.pins) FROM main.refinery_schema_history").fetchone())
