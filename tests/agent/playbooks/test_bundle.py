import msgspec
from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.playbooks.bundle import LONGEST_SHOWN, bounded, section

lines = st.lists(st.text(max_size=700), max_size=60)


@given(told=st.dictionaries(st.sampled_from(["journal a", "units", "network"]), lines), most=st.integers(400, 20_000))
async def test_it_is_never_larger_than_agreed_and_says_what_was_cut(told: dict[str, list[str]], most: int) -> None:
    sections = [
        await section(name, given_lines, newest_last=name.startswith("journal")) for name, given_lines in told.items()
    ]
    before = {one.name: list(one.lines) for one in sections}
    whole = bounded({"sentence": "So it is."}, sections, most)
    assert len(msgspec.json.encode(whole)) <= most
    for name, shown in whole["sections"].items():
        gone = len(before[name]) - len(shown)
        kept = before[name][gone:] if name.startswith("journal") else before[name][: len(shown)]
        assert shown == kept
        assert (name in whole.get("cut", {})) == (gone > 0)
        assert gone == 0 or whole["cut"][name] == f"{gone} lines are left out"


async def test_nothing_is_cut_from_what_fits() -> None:
    whole = bounded({"sentence": "So it is."}, [await section("units", ["a", "b"])], 4096)
    assert whole == {"sentence": "So it is.", "sections": {"units": ["a", "b"]}}


async def test_of_two_sections_the_longer_is_cut() -> None:
    short, long = (
        await section("units", ["unit"] * 10),
        await section("journal", [f"line {n}" for n in range(2000)], newest_last=True),
    )
    whole = bounded({}, [short, long], 4096)
    assert whole["sections"]["units"] == ["unit"] * 10
    assert whole["sections"]["journal"][-1] == "line 1999"


async def test_a_long_line_is_cut_and_has_no_secret_left() -> None:
    (line,) = (await section("journal", ["x" * (LONGEST_SHOWN - 12) + " password=abcdefghijkl and more"])).lines
    assert line.endswith("…") and "abcd" not in line
