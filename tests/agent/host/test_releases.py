import pytest

from guardian_agent.host.releases import leads_into, place_of

FOLDER, CURRENT = "/srv/web/releases", "/srv/web/current"


@pytest.mark.parametrize(
    ("target", "leads"),
    [
        ("releases/1", True),
        ("./releases//1/", True),
        ("../web/releases/1", True),
        ("/srv/web/releases/1", True),
        ("releases/1/../2", False),  # 1 may be a link to anywhere
        ("releases/..", False),
        ("releases", False),
        ("releases2/1", False),
        ("../../../etc", False),
        ("/srv/../srv/web/releases/1", False),
        ("//srv/web/releases/1", False),
        ("releases/1\0", False),
        ("", False),
    ],
)
def test_only_what_lies_in_the_folder_by_every_reading_is_a_release(target: str, leads: bool) -> None:
    assert leads_into(FOLDER, CURRENT, target) is leads


def test_a_release_is_the_same_place_however_the_link_writes_it() -> None:
    written = ("releases/1", "./releases//1/", "/srv/web/releases/1", "../web/releases/1")
    assert {place_of(CURRENT, target) for target in written} == {"/srv/web/releases/1"}
