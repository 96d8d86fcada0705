import msgspec
from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.executor.lines import cut, encodable, one_line

any_text = st.text(st.characters())  # lone surrogates among them


@given(text=any_text, most=st.integers(0, 40))
def test_one_line_is_printable_and_no_longer_than_asked(text: str, most: int) -> None:
    line = one_line(text, most)
    assert line == "" or line.isprintable()
    assert len(line) <= most


def test_what_is_written_on_one_line_can_be_read() -> None:
    assert one_line("rm /etc/x\n<6>user 0: done\u2028ä", 100) == "rm /etc/x\\n<6>user 0: done\\u2028ä"


@given(text=any_text, most=st.integers(2, 60))
def test_a_cut_text_takes_as_many_bytes_as_json_as_asked_and_no_fewer_than_it_could(text: str, most: int) -> None:
    kept = cut(text, most)
    whole = encodable(text)
    assert whole.startswith(kept)
    assert len(msgspec.json.encode(kept)) <= most
    if len(kept) < len(encodable(text[:most])):
        assert len(msgspec.json.encode(whole[: len(kept) + 1])) > most


def test_a_name_of_any_bytes_can_be_encoded() -> None:
    assert encodable("a\udcffä") == "a\\udcffä"
