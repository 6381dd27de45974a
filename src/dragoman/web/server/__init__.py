"""The HTTP/1.1 server: from sockets to ASGI and back, and who may hold how much of it.

`head` and `chunks` read, `answer` writes, `deadlines`, `origins` and `names` decide;
none of these touches a socket. `connection` is one client, `exchange` one request
of it, `floor` all of them, `listener` their start and stop. Why it is our own:
docs/decisions/0007.
"""
