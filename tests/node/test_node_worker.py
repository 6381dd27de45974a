"""What a worker keeps in memory, and what it leaves to the keeper."""

from pathlib import Path

from dragoman.config import Options, Settings
from dragoman.core.clock import Clock
from dragoman.node.places import places
from dragoman.node.worker import Post, Worker
from dragoman.store.custody import keep_directory, keep_node, keep_pepper


async def test_what_a_worker_wrote_down_is_not_kept_for_a_keeper_in_another_process(
    tmp_path: Path,
) -> None:
    where = places(keep_directory(tmp_path / "data"))
    keep_pepper(where.pepper)
    keep_node(where.node)
    settings = Settings(options=Options(), file=None, data=tmp_path / "data", environ={})
    worker = Worker(settings, Post(name="worker-1", workers=2, places=where), Clock())
    try:
        worker._journal.append(b"what happened")
        assert worker._journal.write()
        assert worker._journal.feed.take(0, 1) == []
    finally:
        worker._journal.close()
