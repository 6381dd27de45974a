"""What each serving process does alike: settle its memory, and say what it waits for."""

import gc
import sys
from typing import Final

GC_THRESHOLD: Final = (20_000, 20, 20)
"""Requests leave few cycles behind, and CPython's 700 looks for them several times a request."""
SWITCH_S: Final = 0.0005
"""After how long a thread has to let go of the interpreter. With CPython's 5 ms a request may
wait so long for the thread that writes records. At half load p99 was lower by a quarter with
this; that was two runs on one machine, so take the direction from it and not the figure."""


def settle() -> None:
    """Leave what was made at the start out of all later collections, and let threads take turns."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    sys.setswitchinterval(SWITCH_S)


def draining(patience_s: float, requests: int) -> str:
    """Return a sentence that says why a server does not stop at once."""
    return (
        f"Stopping after {requests} open request{'s' * (requests != 1)}, "
        f"in {patience_s:g} s at the latest. Ctrl-C again stops now."
    )
