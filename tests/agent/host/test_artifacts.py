from hashlib import sha256

import pytest
from tests.agent.fake_machine import FakeFiles

from guardian_agent.errors import ProbeError
from guardian_agent.host.artifacts import complaint_of
from guardian_agent.model import Artifact

PATH = "/usr/bin/tool"
DECLARED = Artifact(path=PATH, sha256=sha256(b"good").hexdigest().upper())


async def test_a_file_is_as_declared_or_it_is_said_what_is_wrong() -> None:
    files = FakeFiles()
    assert await complaint_of(files, DECLARED) == {"reason": "missing"}
    files.put(PATH, "good")
    assert await complaint_of(files, DECLARED) is None
    files.put(PATH, "bad")
    assert (complaint := await complaint_of(files, DECLARED)) and complaint["found"] == sha256(b"bad").hexdigest()
    files.link(PATH, "/elsewhere")
    assert await complaint_of(files, DECLARED) == {"reason": "a link, not a file"}


async def test_a_file_that_no_package_has_cannot_be_judged() -> None:
    files = FakeFiles()
    files.put(PATH, "good")
    with pytest.raises(ProbeError, match="no package has it"):
        await complaint_of(files, Artifact(path=PATH, dpkg=True))
