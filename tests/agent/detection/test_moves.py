from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, WEB

from guardian_agent.detection.moves import Moved, Moves
from guardian_agent.model import Endpoint

NEW = Endpoint("0.0.0.0", 20345)
DROP_IN = "/run/systemd/system/nginx.service.d/50-guardian-rebind.conf"


class Kept:
    """What would be durable."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.host.files.put(DROP_IN)
        self.moved: dict[str, Moved] = {}
        self.moves = Moves(self.host, {"web": WEB, "shop": SHOP}, self.moved.__setitem__, self.moved.__delitem__)


async def test_a_move_is_known_and_kept_until_it_is_taken_back() -> None:
    kept = Kept()
    kept.moves.move("web", NEW)
    assert kept.host.known.moved == {"web": NEW} and kept.moved["web"].declared == WEB.listen
    kept.moves.move("web", None)
    assert kept.host.known.moved == {} and kept.moved == {}


async def test_a_restart_takes_it_up() -> None:
    kept = Kept()
    kept.moves.move("web", NEW)
    kept.host.known.moved.clear()
    await kept.moves.restore(dict(kept.moved))
    assert kept.host.known.moved == {"web": NEW} and kept.moved


async def test_a_reboot_a_hand_or_another_configuration_ends_it() -> None:
    for name in ("boot", "hand", "listen", "name", "command"):
        kept = Kept()
        kept.moves.move("web", NEW)
        moved = kept.moved["web"]
        match name:
            case "boot":
                kept.host.clock.boot_id = "boot-2"
            case "hand":
                kept.host.files.remove(DROP_IN)
            case "listen":
                kept.moved["web"] = Moved(declared=NEW, to=NEW, boot_id=moved.boot_id)
            case "name":
                kept.moved["gone"] = kept.moved.pop("web")
            case "command":
                kept.moved["shop"] = kept.moved.pop("web")
        await kept.moves.restore(dict(kept.moved))
        assert kept.host.known.moved == {} and kept.moved == {}, name


async def test_what_cannot_be_told_is_kept() -> None:
    kept = Kept()
    kept.moves.move("web", NEW)
    kept.host.files.unreadable = "no permission"
    await kept.moves.restore(dict(kept.moved))
    assert kept.host.known.moved == {"web": NEW}
