"""The OpenAI chat dialect, as spoken by OpenAI and the many hosts that imitate it.

`request` puts a call into a host's words, `answers` and `stream` read what comes
back, `faults` says what a refusal means, `dialect` is the object that joins them.
Where a host departs from the dialect its row of data says so; no host is named in
the code, only in comments that tell where a shape was met.
"""
