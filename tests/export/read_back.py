"""Reads a CSV of `segstream state export` with pandas and with DuckDB, and compares every cell with the JSON Lines of
the same export.

    read_back.py CUSTOMERS.csv CUSTOMERS.jsonl [--csv-raw]
"""

import json
import re
import sys

import duckdb
import pandas

TEXTS = ["customer_id", "segment_id", "model_version", "currency", "churn_risk.band", "churn_risk.method"]
INSTANTS = ["first_purchase_at", "last_purchase_at", "evaluated_at", "as_of", "joined_at", "next_change_at"]
OBJECT = "spend_by_category"
GUARDED = re.compile(r"'(?='*\s*[=+\-@＝＋－＠\t\r\n])")


def expected(customer, column):
    """The value that the JSON Lines have for a column; None where it is absent."""
    value = customer
    for name in column.split(".", 1):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def compare(reader, column, read, wanted, is_raw):
    """Fails where a cell is not what was written."""
    if wanted is None:
        same = read is None
    elif read is None:
        same = False
    elif column in INSTANTS:
        same = pandas.Timestamp(read) == pandas.Timestamp(wanted)
    elif column == OBJECT:
        same = json.loads(read) == wanted
    elif column in TEXTS:
        same = (read if is_raw else GUARDED.sub("", read, count=1)) == wanted
    else:
        same = float(read) == float(wanted)
    if not same:
        sys.exit(f"{reader}: {column} is {read!r}, and the JSON Lines have {wanted!r}")


def main():
    csv, lines = sys.argv[1:3]
    is_raw = "--csv-raw" in sys.argv[3:]
    with open(lines, encoding="utf-8") as file:
        customers = [json.loads(line) for line in file]
    with open(csv, "rb") as file:
        if file.read(3) == b"\xef\xbb\xbf":
            sys.exit("the file begins with a byte order mark")
    # As docs/COMMAND_LINE.md says: ids are texts, and NA is a name.
    frame = pandas.read_csv(csv, dtype={name: "string" for name in TEXTS}, keep_default_na=False, na_values=[""])
    # Times are compared as texts or numbers, so that the zone of the session does not matter.
    # As there: DuckDB is to look at all rows, as a column may be empty in the first 20,480.
    types = "{'customer_id': 'VARCHAR', 'joined_at': 'TIMESTAMPTZ', 'next_change_at': 'TIMESTAMPTZ'}"
    relation = duckdb.sql(f"select * from read_csv('{csv}', sample_size = -1, types = {types})")
    columns = relation.columns
    if list(frame.columns) != columns:
        sys.exit(f"pandas has {list(frame.columns)}, DuckDB {columns}")
    rows = relation.fetchall()
    if not len(frame) == len(rows) == len(customers):
        sys.exit(f"pandas has {len(frame)} rows, DuckDB {len(rows)}, and there are {len(customers)} customers")
    types = dict(zip(columns, map(str, relation.types)))
    for name in INSTANTS:
        if any(name in customer for customer in customers) and types[name] != "TIMESTAMP WITH TIME ZONE":
            sys.exit(f"DuckDB takes {name} for {types[name]}")
    for name in ["income", "birth_year"]:
        if any(name in customer for customer in customers) and types[name] not in ("BIGINT", "DOUBLE"):
            sys.exit(f"DuckDB takes {name} for {types[name]}")
    for name in ["orders", "sequence"]:
        if types[name] != "BIGINT" or str(frame[name].dtype) != "int64":
            sys.exit(f"{name} is {types[name]} to DuckDB and {frame[name].dtype} to pandas")
    for place, customer in enumerate(customers):
        for number, column in enumerate(columns):
            wanted = expected(customer, column)
            by_pandas = frame.iat[place, number]
            by_pandas = None if pandas.isna(by_pandas) else by_pandas
            compare("pandas", column, by_pandas, wanted, is_raw)
            compare("DuckDB", column, rows[place][number], wanted, is_raw)


main()
