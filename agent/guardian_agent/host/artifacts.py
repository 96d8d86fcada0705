"""Is a declared file what it is declared to be?"""

from typing import Any

from guardian_agent.errors import ProbeError
from guardian_agent.host.protocols.files import Files
from guardian_agent.model import Artifact


async def complaint_of(files: Files, artifact: Artifact) -> dict[str, Any] | None:
    """What is wrong with the file, as evidence: a `reason`, with the hash `found` and the one `wanted` where it has
    another content. None when it is as declared. Raises ProbeError."""
    there = await files.state(artifact.path)
    if there is None:
        return {"reason": "missing"}
    if there.kind != "file":
        return {"reason": f"a {there.kind}, not a file"}
    if artifact.sha256 is not None:
        wanted, found = artifact.sha256.lower(), await files.sha256(artifact.path)
    else:
        packaged = await files.packaged_md5(artifact.path)
        if packaged is None:
            raise ProbeError(f"{artifact.path}: no package has it")
        wanted, found = packaged, await files.md5(artifact.path)
    return None if found == wanted else {"reason": "its content is another", "found": found, "wanted": wanted}
