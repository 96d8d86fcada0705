"""Names that are not found, or lead to the wrong host."""

from tests.bed.faults.acts import in_order, keeps, on_host, restores, writes
from tests.bed.faults.fault import Act, Fault, Mend, Scene
from tests.bed.faults.symptoms import no_page

from guardian_agent.model import Layer

# The shop looks up hub.bed, which only the router's name server knows.
NOT_FOUND = no_page("http://{host}:8000/name", says="^{hub}$")


def stops_name_server() -> Act:
    async def act(scene: Scene) -> None:
        await scene.fleet.names.stop()

    return act


def freezes_name_server() -> Act:
    async def act(scene: Scene) -> None:
        scene.fleet.names.freeze()

    return act


def starts_name_server() -> Act:
    async def act(scene: Scene) -> None:
        await scene.fleet.names.start()

    return act


FAULTS = (
    Fault(
        id="resolver_garbage",
        layer=Layer.APPLICATION,
        breaks="a page of HTML stands in /etc/resolv.conf, where a portal's answer was taken for a configuration",
        issue_type="dns_failure",
        mend=Mend.HOST,
        inject=in_order(
            keeps("/etc/resolv.conf"), writes("/etc/resolv.conf", "<html><body>Please log in.</body></html>\n")
        ),
        symptom=NOT_FOUND,
        revert=restores("/etc/resolv.conf"),
    ),
    Fault(
        id="resolver_points_nowhere",
        layer=Layer.APPLICATION,
        breaks="/etc/resolv.conf names a server that does not exist",
        issue_type="dns_failure",
        mend=Mend.HOST,
        inject=in_order(keeps("/etc/resolv.conf"), writes("/etc/resolv.conf", "nameserver 198.18.255.254\n")),
        symptom=NOT_FOUND,
        revert=restores("/etc/resolv.conf"),
    ),
    Fault(
        id="name_wrong",
        layer=Layer.APPLICATION,
        breaks="a line left in /etc/hosts leads the name of another server to an old address of it",
        issue_type="dns_wrong",
        mend=Mend.HOST,
        inject=in_order(
            keeps("/etc/hosts"),
            on_host("sed", "--in-place", "$ a 198.18.255.253 hub.bed", "/etc/hosts"),
        ),
        symptom=NOT_FOUND,
        revert=restores("/etc/hosts"),
    ),
    Fault(
        id="name_server_stopped",
        layer=Layer.APPLICATION,
        breaks="the network's name server is dead: its address refuses questions",
        issue_type="dns_failure",
        mend=Mend.ELSEWHERE,
        inject=stops_name_server(),
        symptom=NOT_FOUND,
        revert=starts_name_server(),
        in_make_test=True,
    ),
    Fault(
        id="name_server_frozen",
        layer=Layer.APPLICATION,
        breaks="the network's name server hangs: questions get no answer at all",
        issue_type="dns_failure",
        mend=Mend.ELSEWHERE,
        inject=freezes_name_server(),
        symptom=NOT_FOUND,
        revert=starts_name_server(),
    ),
)
