"""The processes of one machine: a supervisor, a keeper, data workers."""
