import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import FULL_UNIT, install, look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.model import Artifact
from guardian_agent.probes.host_artifact import HostArtifact

NGINX, CONF = "/usr/sbin/nginx", "/etc/web.conf"


@pytest.fixture
async def host() -> FakeHost:
    host = FakeHost()
    install(host)
    return host


async def test_files_as_declared_and_as_packaged_are_good(host: FakeHost) -> None:
    assert await sees(HostArtifact, host, FULL_UNIT) == ""
    assert (await look(HostArtifact, host, FULL_UNIT)).evidence == {"artifacts": 2}


@pytest.mark.parametrize("path", [NGINX, CONF])
async def test_another_content_is_corrupt_and_the_evidence_says_which(host: FakeHost, path: str) -> None:
    host.files.contents[path] = "something else"
    assert await sees(HostArtifact, host, FULL_UNIT) == "artifact_corrupt"
    evidence = (await look(HostArtifact, host, FULL_UNIT)).evidence
    assert evidence["path"] == path and evidence["found"] != evidence["wanted"]


async def test_what_is_missing_or_no_file_any_more_is_corrupt(host: FakeHost) -> None:
    host.files.remove(CONF)
    assert (await look(HostArtifact, host, FULL_UNIT)).evidence == {"path": CONF, "reason": "missing"}
    host.files.link(CONF, "/tmp/evil")
    assert (await look(HostArtifact, host, FULL_UNIT)).evidence["reason"] == "a link, not a file"


async def test_a_declared_hash_may_be_written_in_capitals(host: FakeHost) -> None:
    sums = [each.sha256.upper() for each in FULL_UNIT.artifacts if each.sha256]
    component = msgspec.structs.replace(FULL_UNIT, artifacts=(Artifact(path=CONF, sha256=sums[0]),))
    assert await sees(HostArtifact, host, component) == ""


async def test_a_file_of_no_package_cannot_be_judged_and_hides_no_other(host: FakeHost) -> None:
    del host.files.packaged[NGINX]
    with pytest.raises(ProbeError, match="no package has it"):
        await look(HostArtifact, host, FULL_UNIT)
    host.files.contents[CONF] = "something else"
    assert await sees(HostArtifact, host, FULL_UNIT) == "artifact_corrupt"
