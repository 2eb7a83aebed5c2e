"""A value that a server says again, in the forms that are listed, does not come back (S5)."""

import base64
import json
from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cleanroom.decide.echo import Echoes, Scrubber, Sieve, Word, repeats

VALUE = b"ghp_0123456789abcdefghijABCDEFGHIJ012345"
ODD = 'p\u00e4ss w/ord"with\\all+of=it&\U0001f600'.encode()
INSTEAD = b"cleanroom_PLACEHOLDERPLACEHOLDERPLACEHOLDER"


def echoes(*values: bytes) -> Echoes:
    return Echoes(Word(value, INSTEAD) for value in values)


def scrubber_of(*values: bytes) -> Scrubber:
    made = echoes(*values)
    return Scrubber(lambda: made)


def sieve_of(*values: bytes) -> Sieve:
    made = echoes(*values)
    return Sieve(lambda: made)


def mixed_percent(value: bytes) -> bytes:
    """Escape every other byte, nested deeper each time."""
    return b"".join(
        b"%" + b"25" * (at % 3) + b"%02x" % byte if at % 2 else bytes([byte])
        for at, byte in enumerate(value)
    )


def all_units(text: str) -> bytes:
    """Return every letter as JSON may escape it."""
    pairs = text.encode("utf-16-be").hex()
    return b"".join(b"\\u" + pairs[at : at + 4].encode() for at in range(0, len(pairs), 4))


def forms(value: bytes) -> dict[str, bytes]:
    """Return the value in each form of the list."""
    text = value.decode()
    return {
        "plain": value,
        "percent": quote(value, safe="").encode(),
        "percent, all": b"".join(b"%%%02X" % byte for byte in value),
        "percent, nested": b"".join(b"%%2525%02x" % byte for byte in value),
        "percent, mixed": mixed_percent(value),
        "form": quote_plus(value).encode(),
        "json": json.dumps(text)[1:-1].encode(),
        "json, letters kept": json.dumps(text, ensure_ascii=False)[1:-1].encode(),
        "json, slashes": json.dumps(text)[1:-1].replace("/", "\\/").encode(),
        "json, all": all_units(text),
        "json in json": json.dumps(json.dumps(text)[1:-1])[1:-1].encode(),
        "percent in json": b"".join(b"\\u0025%02x" % byte for byte in value),
        "json in percent": quote(json.dumps(text)[1:-1], safe="").encode(),
        "json in percent, slashes": quote(
            json.dumps(text)[1:-1].replace("/", "\\/"), safe=""
        ).encode(),
        "json in percent, signs": quote(
            json.dumps(text)[1:-1].replace("=", "\\u003d").replace("&", "\\u0026"), safe=""
        ).encode(),
        "json in percent, all": quote(all_units(text), safe="").encode(),
        "hex": value.hex().encode(),
        "HEX": value.hex().upper().encode(),
        "utf-16-le": text.encode("utf-16-le"),
        "utf-16-be": text.encode("utf-16-be"),
        "utf-32-le": text.encode("utf-32-le"),
        "utf-32-be": text.encode("utf-32-be"),
    }


# How many bytes a letter of the placeholder has in a form, if not one.
WIDTHS = {"hex": 2, "HEX": 2, "utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
# A value with a backslash is not searched in JSON within JSON: docs/secrets.md says so.
CASES = [(value, name) for value in (VALUE, ODD) for name in forms(VALUE)]
CASES.remove((ODD, "json in json"))


@pytest.mark.parametrize(("value", "name"), CASES)
def test_a_form_is_replaced_whole_and_nothing_else(value: bytes, name: str) -> None:
    form = forms(value)[name]
    answer = echoes(value).replace(b"%20\\u00e9<" + form + b">%41\\n")
    assert answer.startswith(b"%20\\u00e9<")
    assert answer.endswith(b">%41\\n")
    assert form not in answer
    length = len(answer) - len(b"%20\\u00e9<>%41\\n")
    assert length == WIDTHS.get(name, 1) * len(INSTEAD)


def percents(text: bytes) -> bytes:
    return b"".join(b"%%%02x" % byte for byte in text)


def units(text: bytes) -> bytes:
    return all_units(text.decode())


def signs_as_units(text: bytes) -> bytes:
    return text.replace(b"\\", b"\\u005C").replace(b"%", b"\\u0025")


def signs_as_percents(text: bytes) -> bytes:
    return text.replace(b"%", b"%25").replace(b"\\", b"%5C")


# By which each is made of the one before it: an address has JSON in it, which has an address in it.
NESTED = [
    (percents, signs_as_units, signs_as_percents),
    (units, signs_as_percents, signs_as_units, signs_as_percents),
    (units, signs_as_units, signs_as_percents, signs_as_units),
    (percents, units, percents, units),
]


@pytest.mark.parametrize("value", [VALUE, ODD])
@pytest.mark.parametrize("steps", NESTED)
def test_an_escape_is_led_back_through_four_others(
    value: bytes, steps: tuple[Callable[[bytes], bytes], ...]
) -> None:
    form = reduce(lambda text, step: step(text), steps, value)
    before, after = b"%20\\u00e9<", b">%41\\n"
    assert echoes(value).replace(before + form + after) == before + INSTEAD + after
    deeper = units(percents(units(percents(b"x")))) + b" " + form
    assert echoes(value).replace(deeper).endswith(b" " + INSTEAD)


def test_no_more_than_four_times() -> None:
    steps = (percents, units, percents, units, percents)
    form = reduce(lambda text, step: step(text), steps, VALUE)
    assert echoes(VALUE).replace(form) == form


@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"user:"])
@pytest.mark.parametrize("after", [b"", b"z", b"zz"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_found_at_each_alignment(before: bytes, after: bytes, encode: object) -> None:
    assert callable(encode)
    for value in (VALUE, b"\xfb\xff\xfe?>~ab", b"exactly8"):
        text = encode(before + value + after)
        found = echoes(value).replace(b"=" + text + b"=")
        assert len(found) == len(text) + 2  # it can be decoded still
        decoded = base64.b64decode(found[1:-1], altchars=b"-_")
        assert value[1:-1] not in decoded
        assert b"A" * (len(value) + 1) in found


SIGNS = {
    "percent": ("%2B", "%2F"),
    "percent, small": ("%2b", "%2f"),
    "percent, slashes kept": ("%2B", "/"),
    "json, slashes": ("+", "\\/"),
    "json, pluses": ("\\u002B", "/"),
    "json, both": ("\\u002B", "\\u002F"),
    "json, small": ("\\u002b", "\\u002f"),
}


@pytest.mark.parametrize("before", [b"", b"x", b"user:"])
@pytest.mark.parametrize("name", SIGNS)
def test_base64_is_found_with_its_signs_escaped(before: bytes, name: str) -> None:
    plus, slash = SIGNS[name]
    for value in (b"\xfb\xff\xfe?>~ab", b"what?>so~?is~this>?"):
        text = base64.b64encode(before + value).decode().rstrip("=")
        spelt = text.replace("+", plus).replace("/", slash)
        assert b"A" * (len(value) + 1) in echoes(value).replace(b'"' + spelt.encode() + b'"')


PAGES = {
    "python": b"a&amp;b&lt;c&gt;d&quot;e&#x27;f+g",
    "a page's text": b"a&amp;b&lt;c&gt;d&quot;e'f+g",
    "php": b"a&amp;b&lt;c&gt;d&quot;e&#039;f+g",
    "node": b"a&amp;b&lt;c&gt;d&quot;e&#39;f+g",
    "go": b"a&amp;b&lt;c&gt;d&#34;e&#39;f+g",
    "a template of go": b"a&amp;b&lt;c&gt;d&#34;e&#39;f&#43;g",
}


@pytest.mark.parametrize("name", PAGES)
def test_a_value_is_found_as_a_page_writes_it(name: str) -> None:
    assert echoes(b"a&b<c>d\"e'f+g").replace(b"<p>" + PAGES[name] + b"&") == b"<p>%b&" % INSTEAD


def test_the_longest_of_two_is_replaced_first() -> None:
    made = Echoes([Word(b"12345678", b"SHORT"), Word(b"1234567890", b"LONG")])
    assert made.replace(b"1234567890 12345678") == b"LONG SHORT"
    assert made.replace(b"%311234567890") == b"%31LONG"
    assert made.replace(b"1%3234567890") == b"LONG"


def test_overlapping_hits_leave_nothing_of_either() -> None:
    made = Echoes([Word(b"abcdefgh", b"1"), Word(b"efghijkl", b"2")])
    assert b"efghijk" not in made.replace(b"%61bcdefghijkl")


def test_without_values_nothing_is_touched_or_held() -> None:
    scrubber = scrubber_of()
    assert scrubber.feed(b"%41 \\u0041") == b"%41 \\u0041"
    assert scrubber.end() == b""


def test_nothing_shows_a_value() -> None:
    word = Word(VALUE, INSTEAD)
    assert VALUE.decode() not in f"{word!r} {Echoes([word])!r} {Scrubber(lambda: Echoes([word]))!r}"


def test_a_value_with_a_letter_like_a_line_end_is_not_searched_in_that_wide_form() -> None:
    value = "12345678\u0a0a".encode()
    assert echoes(value).replace(value) == INSTEAD
    assert b"\n" not in b"".join(form for form, _ in echoes(value)._forms)
    assert echoes(b"\xff1234567").replace(b"\xff1234567") == INSTEAD  # no UTF-8, so no UTF-16


@given(
    st.sampled_from(sorted(forms(VALUE).items())),
    st.binary(max_size=300),
    st.binary(max_size=300),
    st.lists(st.integers(0, 1200), max_size=12),
)
@example(("plain", VALUE), b"", b"", list(range(60)))
@example(("percent, nested", forms(VALUE)["percent, nested"]), b"", b"", [240])
@example(("percent, nested", forms(VALUE)["percent, nested"]), b"", b"", list(range(300)))
@example(("json, all", forms(VALUE)["json, all"]), b"", b"", list(range(300)))
def test_no_border_of_pieces_lets_a_form_through(
    form: tuple[str, bytes], before: bytes, after: bytes, cuts: list[int]
) -> None:
    text = before + form[1] + after
    scrubber = scrubber_of(VALUE)
    bounds = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    answer = b"".join(scrubber.feed(text[a:b]) for a, b in pairwise(bounds)) + scrubber.end()
    assert form[1] not in answer
    assert INSTEAD in answer or form[0] in WIDTHS


@given(st.integers(0, len(VALUE)), st.binary(min_size=len(VALUE), max_size=len(VALUE)))
def test_what_is_held_does_not_tell_how_much_of_a_guess_is_right(right: int, noise: bytes) -> None:
    noise = noise.replace(b"\n", b".").replace(VALUE, b".")
    guess = (b"x" * 900) + VALUE[:right] + noise[right:]
    if VALUE in guess:
        return
    passed = len(scrubber_of(VALUE).feed(guess))
    assert passed == len(guess) - (8 * len(VALUE) - 1)


def test_of_tiny_pieces_as_much_is_held_whatever_they_are() -> None:
    passed = []
    for text in (b"x" * 900, (VALUE[:-1] + b"x") * 22, b"%41" * 300):
        scrubber = scrubber_of(VALUE)
        passed.append([len(scrubber.feed(text[at : at + 1])) for at in range(880)])
    assert passed[0] == passed[1] == passed[2]
    assert 880 - sum(passed[0]) < 9 * len(VALUE)


def test_tiny_pieces_are_not_searched_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    value = b"a long value " * 1000
    scrubber, searched = scrubber_of(value), []
    replace = Echoes.replace

    def counted(self: Echoes, data: bytes) -> bytes:
        searched.append(len(data))
        return replace(self, data)

    monkeypatch.setattr(Echoes, "replace", counted)
    scrubber.feed(b"x" * 8 * len(value))
    for _ in range(2 * len(value)):
        scrubber.feed(b"y")
    assert len(searched) == 3
    assert max(searched) < 9 * len(value)


def test_an_answer_is_searched_for_what_was_minted_while_it_goes_on() -> None:
    words = [echoes(VALUE)]
    scrubber = Scrubber(lambda: words[-1])
    assert scrubber.feed(b"first\n") == b"first\n"
    later = b"the-later-token-0123456789"
    words.append(echoes(later))  # what stood for it before is looked for still
    assert scrubber.feed(b"<" + later + b"> " + VALUE + b"\n") == b"<%b> %b\n" % (INSTEAD, INSTEAD)
    assert scrubber.feed(VALUE[:9]) == b""
    words.append(echoes())
    assert scrubber.feed(VALUE[9:]) + scrubber.end() == INSTEAD


def test_what_ends_in_a_line_end_is_not_held() -> None:
    scrubber = scrubber_of(VALUE)
    event = b"data: " + VALUE[:20] + b"\n\n"
    assert scrubber.feed(event) == event  # a value has no line end: this cannot become one
    assert scrubber.feed(VALUE[:20]) == b""
    assert scrubber.feed(VALUE[20:] + b"\n") == INSTEAD + b"\n"
    assert scrubber.end() == b""


@pytest.mark.parametrize("value", [VALUE, ODD])
@pytest.mark.parametrize("end", [b"", b"x", b"u00", b"ud83d", b"u0041"])
def test_a_page_of_backslashes_is_read_once(value: bytes, end: bytes) -> None:
    # If each of them asked what follows the run, this would take hours.
    page = b"\\u0041 " + b"\\" * 2_000_000 + end
    assert echoes(value).replace(page) == page


def sifted(data: bytes, cut: int) -> tuple[bytes, bool]:
    """Return what passed a Sieve in pieces, and whether all of it did."""
    sieve, passed = sieve_of(VALUE), b""
    for at in range(0, len(data), cut):
        passed += sieve.feed(data[at : at + cut])
    return passed + sieve.end(), not sieve.found


@given(st.binary(max_size=200), st.integers(1, 60))
def test_a_sieve_lets_pass_what_has_no_value_as_it_is(data: bytes, cut: int) -> None:
    assert sifted(data, cut) == (data, True)


@pytest.mark.parametrize("form", forms(VALUE))
@given(st.integers(1, 60), st.sampled_from([b"", b"x" * 500]))
def test_a_sieve_stops_before_the_value_in_any_pieces(form: str, cut: int, after: bytes) -> None:
    passed, is_clean = sifted(b"before " + forms(VALUE)[form] + after, cut)
    assert not is_clean
    assert b"before ".startswith(passed)


def test_a_text_of_a_head_is_searched_as_a_stream_is() -> None:
    assert not repeats(sieve_of(VALUE), "text/html", "\u20ac", VALUE[:20].decode(), "y")
    sieve = sieve_of(VALUE)
    assert repeats(sieve, "text/html", f"https://a.test/{VALUE.decode()}/b")
    assert sieve.feed(b"more") == b""


class _Counted(bytes):
    """Counts how often something is looked for in it."""

    looks = 0

    def __contains__(self, other: object) -> bool:
        type(self).looks += 1
        return isinstance(other, bytes) and super().__contains__(other)


def test_what_is_shorter_than_a_value_costs_no_search_and_a_value_alone_is_found() -> None:
    """A server may send very many messages of a byte, and each form is a search of its own."""
    echoes = Echoes([Word(b"12345678", b"placeholder"), Word(b"x" * 100, b"other")])
    assert echoes.replace(_Counted(b"1234567")) == b"1234567"
    assert _Counted.looks == 0
    assert echoes.replace(_Counted(b"12345678")) == b"placeholder"
    assert _Counted.looks > 0
