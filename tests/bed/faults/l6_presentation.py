"""Bytes that arrive and cannot be believed or read: certificates that clients refuse, pages that do not decode."""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bed.certificates import Authority, Certificate
from tests.bed.faults.acts import in_order, on_host, releases, restarts, restarts_shop
from tests.bed.faults.fault import Act, Fault, Mend, Scene
from tests.bed.faults.symptoms import complains, no_page
from tests.bed.workloads.workloads import TLS

from guardian_agent.model import Layer

REFUSED = no_page("https://{host}/", options=("--cacert", "/etc/ssl/bed-ca.pem"))


def names_of(scene: Scene) -> tuple[str, str]:
    return f"DNS:{scene.host.name}", f"IP:{scene.host.address}"


async def original(scene: Scene) -> Certificate:
    return scene.authority.issued(f"site-{scene.host.name}")


async def expired(scene: Scene) -> Certificate:
    await scene.authority.issue("expired", *names_of(scene))
    return await scene.authority.expire("expired")


async def of_one_day(scene: Scene) -> Certificate:
    return await scene.authority.issue("one-day", *names_of(scene), days=1)


async def of_another_host(scene: Scene) -> Certificate:
    return await scene.authority.issue("elsewhere")


async def of_a_stranger(scene: Scene) -> Certificate:
    with tempfile.TemporaryDirectory() as folder:
        stranger = await Authority.create(Path(folder) / "ca")
        return await stranger.issue("stranger", *names_of(scene))


async def without_its_chain(scene: Scene) -> Certificate:
    with tempfile.TemporaryDirectory() as folder:
        intermediate = await Authority.create(Path(folder) / "ca", above=scene.authority)
        return await intermediate.issue("leaf", *names_of(scene))


def presents(make: Callable[[Scene], Awaitable[Certificate]]) -> Act:
    """The certificate and its key in nginx's files; nginx has still to be told."""

    async def act(scene: Scene) -> None:
        made = await make(scene)
        await scene.host.write_file(f"{TLS}/site.pem", made.certificate)
        await scene.host.write_file(f"{TLS}/site.key", made.key)

    return act


RELOAD = on_host("systemctl", "reload", "nginx")
ORIGINAL = in_order(presents(original), restarts("nginx"))  # a reload would let the old workers answer a little longer
GOOD = in_order(releases("good"), restarts_shop())
READ = complains("payload", "http://{host}:8000/")

FAULTS = (
    Fault(
        id="certificate_expired",
        layer=Layer.PRESENTATION,
        breaks="the certificate of the site was good until yesterday",
        issue_type="certificate_expiring",
        mend=Mend.HOST,
        inject=in_order(presents(expired), RELOAD),
        symptom=REFUSED,
        revert=ORIGINAL,
        in_make_test=True,
    ),
    Fault(
        id="certificate_expires_soon",
        layer=Layer.PRESENTATION,
        breaks="the certificate of the site is good for one more day",
        issue_type="certificate_expiring",
        mend=Mend.HOST,
        inject=in_order(presents(of_one_day), RELOAD),
        symptom=complains("week", "{host}"),
        revert=ORIGINAL,
    ),
    Fault(
        id="certificate_wrong_name",
        layer=Layer.PRESENTATION,
        breaks="the certificate of the site is one for another name",
        issue_type="certificate_wrong",
        mend=Mend.HOST,
        inject=in_order(presents(of_another_host), RELOAD),
        symptom=REFUSED,
        revert=ORIGINAL,
    ),
    Fault(
        id="certificate_untrusted",
        layer=Layer.PRESENTATION,
        breaks="the certificate of the site is from an authority that clients do not know",
        issue_type="certificate_wrong",
        mend=Mend.HOST,
        inject=in_order(presents(of_a_stranger), RELOAD),
        symptom=REFUSED,
        revert=ORIGINAL,
    ),
    Fault(
        id="certificate_chain_cut",
        layer=Layer.PRESENTATION,
        breaks="the certificate of the site is from an intermediate authority that is not sent along",
        issue_type="certificate_wrong",
        mend=Mend.HOST,
        inject=in_order(presents(without_its_chain), RELOAD),
        symptom=REFUSED,
        revert=ORIGINAL,
    ),
    Fault(
        id="bad_json",
        layer=Layer.PRESENTATION,
        breaks="the shop's JSON lacks its end",
        issue_type="payload_broken",
        mend=Mend.HOST,
        inject=releases("bad_json"),
        symptom=READ,
        revert=GOOD,
    ),
    Fault(
        id="wrong_charset",
        layer=Layer.PRESENTATION,
        breaks="the shop says UTF-8 and writes Latin-1",
        issue_type="payload_broken",
        mend=Mend.HOST,
        inject=releases("latin1"),
        symptom=READ,
        revert=GOOD,
    ),
    Fault(
        id="cut_gzip",
        layer=Layer.PRESENTATION,
        breaks="the shop's compressed page lacks its last 12 bytes",
        issue_type="payload_broken",
        mend=Mend.HOST,
        inject=releases("cut_gzip"),
        symptom=READ,
        revert=GOOD,
        in_make_test=True,
    ),
    Fault(
        id="short_body",
        layer=Layer.PRESENTATION,
        breaks="the shop sends fewer bytes than it announces",
        issue_type="payload_broken",
        mend=Mend.HOST,
        inject=releases("short_body"),
        symptom=READ,
        revert=GOOD,
    ),
)
