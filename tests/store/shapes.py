"""What a database looks like, to compare what migrations made with what the code expects."""

from sqlalchemy import Connection, inspect

Shape = dict[str, dict[str, object]]


def described(connection: Connection) -> Shape:
    """Return per table its columns (nullable, type), its key, and its indexes."""
    shape: Shape = {}
    inspector = inspect(connection)
    for table in inspector.get_table_names():
        columns: dict[str, object] = {
            column["name"]: (column["nullable"], column["type"].python_type)
            for column in inspector.get_columns(table)
        }
        columns["<key>"] = inspector.get_pk_constraint(table)["constrained_columns"]
        columns["<indexes>"] = sorted(
            (str(index["name"]), index["column_names"]) for index in inspector.get_indexes(table)
        )
        shape[table] = columns
    return shape
