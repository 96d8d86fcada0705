"""Who has the privileges that this process was started with?"""

PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4  # linux/prctl.h


def keep_from_children() -> bool:
    """Programs that are started from now on get none of the ambient capabilities, which our unit gives; this process
    keeps what it has. False: the kernel refused, or cannot be asked from Python here.

    The set is a thread's, and a new thread has its maker's: call it before there is another. Source: capabilities(7),
    PR_CAP_AMBIENT(2const).
    """
    try:
        import ctypes  # half a megabyte, which other commands need not pay

        words = [ctypes.c_ulong(word) for word in (PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)]
        return bool(ctypes.CDLL(None).prctl(PR_CAP_AMBIENT, *words) == 0)
    except (ImportError, AttributeError, OSError, MemoryError):
        return False
