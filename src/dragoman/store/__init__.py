"""State without a domain: a SQL database, its migrations, and a bounded queue of writes."""
