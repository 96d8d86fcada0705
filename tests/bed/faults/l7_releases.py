"""Releases of the shop that should not have been rolled out."""

from tests.bed.faults.acts import drops_in, in_order, lifts, on_host, restarts
from tests.bed.faults.fault import Act, Fault, Mend
from tests.bed.faults.symptoms import no_page

from guardian_agent.model import Layer

SHOP = "shop.service"
NO_SHOP = no_page("http://{host}:8000/", says='"shop"')
RESTARTED_ALWAYS = "[Service]\nRestart=always\n"


def rolled_out(release: str) -> Act:
    """As a deployment does it: the link is moved, and the service restarted."""
    return in_order(on_host("ln", "-sfn", f"releases/{release}", "/srv/shop/current"), restarts(SHOP))


FAULTS = (
    Fault(
        id="bad_release_crashes",
        layer=Layer.APPLICATION,
        breaks="the new release ends as soon as it is started, again and again until systemd gives up",
        issue_type="deploy_regressed",
        mend=Mend.HOST,
        inject=in_order(drops_in(SHOP, RESTARTED_ALWAYS), rolled_out("crashes")),
        symptom=NO_SHOP,
        revert=in_order(lifts(SHOP), rolled_out("good")),
        in_make_test=True,
    ),
    Fault(
        id="bad_release_errors",
        layer=Layer.APPLICATION,
        breaks="the new release answers 500 to everything",
        issue_type="deploy_regressed",
        mend=Mend.HOST,
        inject=rolled_out("errors"),
        symptom=NO_SHOP,
        revert=rolled_out("good"),
    ),
    Fault(
        id="bad_release_slow",
        layer=Layer.APPLICATION,
        breaks="the new release needs 3 s for a page",
        issue_type="deploy_regressed",
        mend=Mend.HOST,
        inject=rolled_out("slow"),
        symptom=NO_SHOP,
        revert=rolled_out("good"),
    ),
    Fault(
        id="current_link_dangling",
        layer=Layer.APPLICATION,
        breaks="the link to the current release leads to one that was never unpacked",
        issue_type="deploy_regressed",
        mend=Mend.HOST,
        inject=rolled_out("gone"),
        symptom=NO_SHOP,
        revert=rolled_out("good"),
    ),
)
