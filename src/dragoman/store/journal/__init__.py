"""An append-only journal on disk: written before an answer leaves, applied to a database after.

    frames.py    the format: headers, records, what is whole and what is not. Pure.
    tail.py      what a writer has appended and not yet on disk. Pure.
    feed.py      the same records on their way to an applier in this process. Pure.
    folder.py    directories, segments and locks: creating, finding, reading, deleting.
    writer.py    `Journal`: one writer, its turns, its flushes, its faults.
    sources.py   where an applier takes records from: memory, a dead writer's files, a living one's.
    applier.py   `Applier`: takes the records of all journals in order, in batches.

What a record means is its owner's business. Here it is bytes with an offset.
"""
