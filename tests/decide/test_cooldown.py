import contextlib
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.cooldown import (
    HIDE,
    Age,
    UnreadableError,
    date_of,
    npm_date,
    pypi_as_html,
    pypi_date,
)

_NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
_OLD, _YOUNG = "2020-01-01T00:00:00.000Z", "2027-01-15T07:59:00.000Z"
_AGE = Age(_NOW - 7 * 86_400)


def _npm(**times: object) -> bytes:
    page = {
        "name": "a",
        "dist-tags": {"latest": "3.0.0", "next": "4.0.0-rc.1", "old": "1.0.0"},
        "versions": {"1.0.0": {"dist": {}}, "2.0.0": {}, "2.1.0-rc.1": {}, "3.0.0": {}},
        "time": {
            "created": _OLD,
            "modified": _YOUNG,
            **{k.replace("_", "."): v for k, v in times.items()},
        },
    }
    return json.dumps(page).encode()


_PAGE = _npm(
    **{
        "1.0.0": _OLD,
        "2.0.0": "2021-01-01T00:00:00Z",
        "2.1.0-rc.1": "2022-01-01T00:00:00Z",
        "3.0.0": _YOUNG,
    }
)


def test_a_young_version_of_npm_is_not_there_and_latest_is_an_older_one() -> None:
    page = json.loads(HIDE["npm"](_PAGE, _AGE))
    assert list(page["versions"]) == ["1.0.0", "2.0.0", "2.1.0-rc.1"]
    assert page["dist-tags"] == {"old": "1.0.0", "latest": "2.0.0"}
    assert "3.0.0" not in page["time"]
    assert page["time"]["created"] == _OLD


def test_an_excepted_version_stays() -> None:
    page = json.loads(HIDE["npm"](_PAGE, Age(_AGE.newest_s, ("3.0.0",))))
    assert page["dist-tags"]["latest"] == "3.0.0"


@pytest.mark.parametrize(
    "date", [None, 7, "yesterday", "2020-01-01T00:00:00", "0001-01-01T00:00:00+23:59"]
)
def test_a_version_without_a_date_is_young(date: object) -> None:
    page = json.loads(HIDE["npm"](_npm(**{"1.0.0": date}), _AGE))
    assert page["versions"] == {} or date == "0001-01-01T00:00:00+23:59"


def test_when_all_are_young_nothing_is_latest() -> None:
    page = json.loads(HIDE["npm"](_npm(), _AGE))
    assert page["versions"] == {}
    assert page["dist-tags"] == {}


def _pypi() -> bytes:
    files = [
        {
            "filename": "a-1.0.tar.gz",
            "url": "https://files.example/a-1.0.tar.gz",
            "upload-time": _OLD,
            "hashes": {"sha256": "0" * 64},
            "requires-python": ">=3",
            "yanked": "bad",
        },
        {
            "filename": "a-2.0-py3-none-any.whl",
            "url": "u",
            "upload-time": _YOUNG,
            "hashes": {},
            "yanked": True,
        },
        {"filename": "a-3.0.tar.gz", "url": "u", "upload-time": None},
    ]
    return json.dumps({"name": "a", "files": files, "versions": ["1.0.0", "2.0", "3.0"]}).encode()


def test_a_young_file_of_pypi_is_not_there() -> None:
    page = json.loads(HIDE["pypi"](_pypi(), _AGE))
    assert [each["filename"] for each in page["files"]] == ["a-1.0.tar.gz"]
    assert page["versions"] == ["1.0.0"]
    kept = json.loads(HIDE["pypi"](_pypi(), Age(_AGE.newest_s, ("2",))))
    assert kept["versions"] == ["1.0.0", "2.0"]


def test_an_older_form_without_a_list_of_versions_is_read_too() -> None:
    assert json.loads(HIDE["pypi"](b'{"files":[]}', _AGE)) == {"files": []}


def test_the_html_form_says_the_same() -> None:
    html = pypi_as_html(_pypi()).decode()
    assert '<a href="https://files.example/a-1.0.tar.gz#sha256=' + "0" * 64 in html
    assert 'data-requires-python="&gt;=3" data-yanked="bad"' in html
    assert 'data-yanked=""' in html
    assert html.count("<a ") == 3


def test_the_date_of_one_artifact() -> None:
    assert npm_date(_PAGE, "1.0.0") == 1577836800
    assert npm_date(_PAGE, "9.0.0") is None
    assert pypi_date(_pypi(), "a-1.0.tar.gz") == 1577836800
    assert pypi_date(_pypi(), "a-9.tar.gz") is None
    spelt = _pypi().replace(b'"a-1.0.tar.gz"', b'"a\\u002d1.0.tar.gz"')
    assert spelt != _pypi()
    assert pypi_date(spelt, "a-1.0.tar.gz") == 1577836800
    odd = b'{"name": "a", "files": [{}, {"filename": null}, {"filename": 7}, {"filename": "a"}]}'
    assert pypi_date(odd, "a") is None


@pytest.mark.parametrize(
    "document",
    [
        b"", b"[]", b"\xff\xfe", b"{" * 100_000, b"[" * 100_000, b'{"time":[],"versions":3}',
        b'{"files":{}}',
        b'{"files":["a"]}', b'{"files":[],"versions":[1]}', b'{"files":[],"versions":3}',
        b'{"time":' + b"9" * 5000 + b"}", b'{"a":"\xff"}', b'"' + b"\\ud800" * 3 + b'"',
    ],
)  # fmt: skip
def test_what_is_no_metadata_is_said(document: bytes) -> None:
    refused = 0
    for hide in HIDE.values():
        try:
            hide(document, _AGE)
        except UnreadableError:
            refused += 1
    assert refused


@pytest.mark.parametrize("value", [b"[]", b"{}", b"7", b"null", b"[" * 900 + b"]" * 900])
def test_what_is_no_text_where_a_text_belongs_is_no_version(value: bytes) -> None:
    tags = b'{"versions":{"1.0.0":{}},"time":{"1.0.0":%b},"dist-tags":{"latest":%b,"old":"1.0.0"}}'
    page = HIDE["npm"](tags % (value, value), Age(_AGE.newest_s, ("1.0.0",)))
    assert json.loads(page)["dist-tags"] == {"latest": "1.0.0", "old": "1.0.0"}
    files = b'{"name":%b,"files":[{"filename":%b,"url":%b,"requires-python":%b,"yanked":%b}]}'
    document = files % ((value,) * 5)
    assert json.loads(HIDE["pypi"](document, _AGE))["files"] == []
    assert b'href=""' in pypi_as_html(document)
    assert HIDE["cargo"](b'{"vers":%b,"pubtime":%b}' % (value, value), _AGE) == b""


@given(st.binary(max_size=200))
def test_nothing_else_is_raised(document: bytes) -> None:
    for hide in HIDE.values():
        try:
            hide(document, _AGE)
        except UnreadableError:
            continue


def _crates(*dates: object) -> bytes:
    lines = [
        json.dumps({"name": "a", "vers": f"{n}.0.0", "cksum": "0" * 64, "pubtime": date})
        for n, date in enumerate(dates, 1)
    ]
    return "\n".join(lines).encode() + b"\n\n"


def test_a_young_crate_is_not_in_the_index_and_the_others_stay_as_they_are_written() -> None:
    document = _crates(_OLD, _YOUNG, None, "2021-01-01T00:00:00Z")
    first, _, _, last, *_ = document.split(b"\n")
    assert HIDE["cargo"](document, _AGE) == first + b"\n" + last + b"\n"
    excepted = HIDE["cargo"](document, Age(_AGE.newest_s, ("2.0.0",)))
    assert excepted.count(b"\n") == 3
    assert HIDE["cargo"](b"", _AGE) == b""


@pytest.mark.parametrize(
    ("manager", "document", "date"),
    [
        ("npm", _PAGE, 1577836800),
        ("pypi", _pypi(), 1577836800),
        ("cargo", _crates(_OLD, _YOUNG), 1577836800),
        ("cargo", b'{"vers":"1.0.0"}', None),
        ("cargo", b'{"vers":"2.0.0","pubtime":"2020-01-01T00:00:00Z"}', None),
        ("go", b'{"Version":"v1.0.0","Time":"2020-01-01T00:00:00Z"}', 1577836800),
        ("go", b'{"Version":"v1.0.0"}', None),
    ],
)
def test_each_manager_says_a_date_in_its_own_way(
    manager: str, document: bytes, date: float | None
) -> None:
    assert date_of(manager, document, "1.0.0", "a-1.0.tar.gz") == date


_OLDER = Age(_AGE.newest_s, ("1.0.0",))


@pytest.mark.parametrize(
    ("manager", "document"),
    [
        ("npm", b'{"versions":{"1.0.0":7},"time":{}}'),
        ("npm", b'{"versions":{%b}}' % b",".join(b'"%d":{}' % n for n in range(400_001))),
        ("npm", b'{"versions":{},"time":{%b}}' % b",".join(b'"%d":1' % n for n in range(196_609))),
        ("npm", b'{"dist-tags":{%b}}' % b",".join(b'"%d":1' % n for n in range(65_537))),
        ("pypi", b'{"files":[%b{}]}' % (b"{}," * 262_144)),
        ("pypi", b'{"files":[],"versions":[%b""]}' % (b'"",' * 65_537)),
        ("cargo", b"{}\n" * 65_537),
    ],
    ids=range(7),
)
def test_more_than_a_page_ever_has_is_not_read(manager: str, document: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"more than|as its registry"):
        HIDE[manager](document, _OLDER)


def test_what_is_not_judged_stays_as_it_is_written() -> None:
    manifest = b'{"a": [1e999, {"b" : []}], "dist":{}}'
    document = b'{"versions":{"1.0.0":%b},"readme": "x\\u0041", "other":[]}' % manifest
    page = HIDE["npm"](document, _OLDER)
    assert manifest in page
    assert b'"readme":"x\\u0041"' in page
    assert b"other" not in page


_CROWD = b"[%b[]]" % (b"[]," * 2_000_000)


@pytest.mark.parametrize(
    ("manager", "document"),
    [
        ("npm", b'{"x":%b,"versions":{"1.0.0":{"x":%b}},"readme":%b}' % ((_CROWD,) * 3)),
        ("npm", b'{"time":{"1.0.0":%b}}' % _CROWD),
        ("pypi", b'{"x":%b,"files":[{"filename":"a-1.0.tar.gz","x":%b}]}' % ((_CROWD,) * 2)),
        ("pypi", b'{"files":%b}' % _CROWD),
        ("cargo", b'{"vers":"1.0.0","x":%b}' % _CROWD),
        ("go", b'{"Time":%b}' % _CROWD),
    ],
    ids=range(6),
)
def test_a_page_of_millions_of_values_costs_what_it_weighs(manager: str, document: bytes) -> None:
    tracemalloc.start()
    try:
        if manager in HIDE:
            with contextlib.suppress(UnreadableError):
                HIDE[manager](document, _OLDER)
        with contextlib.suppress(UnreadableError):
            date_of(manager, document, "1.0.0", "a-1.0.tar.gz")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1.5 * len(document) + (4 << 20)
