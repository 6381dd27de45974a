"""`dragoman connect`: a client's configuration for this gateway, printed or written, and tried.

`clients` is the table of clients, `recipes` what each is told, `documents` and `files` how a
file that holds other things too is changed and put back, `trial` and its dialects the
self-test, `command` what is typed.
"""
