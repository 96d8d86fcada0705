"""Why must a file stay?"""

import os
import stat
import time

from guardian_agent.host.as_root.open_files import Opened
from guardian_agent.host.operations.cleanup import SeenFile


def why_it_stays(state: os.stat_result, file: SeenFile, min_age_s: float, opened: Opened) -> str:
    """As the end of a sentence about it; empty when it may go."""
    if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
        return "is no regular file with one name"
    if (state.st_dev, state.st_ino) != (file.device, file.inode):
        return "is another file now"
    if (state.st_size, state.st_mtime_ns) != (file.size_bytes, file.modified_wall_ns):
        return "has changed"
    if state.st_mtime_ns > time.time_ns() - int(min_age_s * 1e9):
        return "is too young"
    return "is open" if opened.has(state) else ""
