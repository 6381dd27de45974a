"""State without a domain: a SQL database, its migrations, a bounded queue, and journals."""
