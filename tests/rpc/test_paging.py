"""Pages and their tokens."""

import base64

import msgspec
import pytest

from sheetgrpc.errors import InvalidRequest, LimitExceeded
from sheetgrpc.server.convert.form import Form
from sheetgrpc.server.paging import MOMENTS, NAMES, POSITIONS, Page, Tokens, read_page
from sheetgrpc.v1 import sheet_pb2
from sheetgrpc.v1.session_service_pb2 import ListSessionsRequest
from sheetgrpc.v1.sheet_service_pb2 import ListPhasesRequest, ListSymbolsRequest

MIB = 1024 * 1024


def page_of(size: int = 0, token: str = "", session: str = "s", max_bytes: int = MIB) -> Page[str]:
    form = Form()
    request = ListSymbolsRequest(session=session, page_size=size, page_token=token)
    page = read_page(form, request, NAMES, max_bytes)
    form.done()
    return page


def write(page: Page[str], names: list[str], bytes_each: int = 0) -> tuple[list[str], str]:
    symbols, token = page.write(
        names, lambda name: sheet_pb2.Symbol(name=name, entity_id="x" * bytes_each), lambda _, name: name
    )
    return [symbol.name for symbol in symbols], token


@pytest.mark.parametrize(("asked", "size"), [(0, 20), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_the_size_of_a_page_has_a_default_and_a_limit(asked: int, size: int) -> None:
    assert page_of(asked).size == size


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="page_size"):
        page_of(-1)


def test_the_last_page_has_no_token_even_when_it_is_full() -> None:
    assert write(page_of(2), ["a", "b"]) == (["a", "b"], "")


def test_a_token_goes_on_after_the_last_item_with_another_size_too() -> None:
    names, token = write(page_of(2), ["a", "b", "c"])
    assert names == ["a", "b"]
    assert page_of(7, token).after == "b"


def test_a_page_is_cut_to_what_may_be_sent() -> None:
    names, token = write(page_of(10), ["a", "b", "c", "d"], bytes_each=400_000)
    assert names == ["a", "b"]
    assert page_of(10, token).after == "b"


def test_an_item_that_alone_is_too_large_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        write(page_of(10), ["a"], bytes_each=2 * MIB)


def test_a_token_belongs_to_its_query() -> None:
    _, token = write(page_of(1), ["a", "b"])
    with pytest.raises(InvalidRequest, match="another query"):
        page_of(1, token, session="other")
    form = Form()
    read_page(form, ListPhasesRequest(session="s", page_token=token), POSITIONS, MIB)
    with pytest.raises(InvalidRequest, match="page_token"):
        form.done()


def forge(tokens: Tokens[object], key: object) -> str:
    query = read_page(Form(), ListSessionsRequest(), MOMENTS, MIB).query
    return tokens.write(query, key)


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "AAAA",
        "====",
        "a b",
        "\x00",
        "é",
        "A" * 200_000,
        base64.urlsafe_b64encode(msgspec.msgpack.encode([1, 2, 3])).decode(),
        forge(MOMENTS, (2**63, "id")),  # type: ignore[arg-type]  # forged
        forge(MOMENTS, (-1, "id")),  # type: ignore[arg-type]  # forged
        forge(MOMENTS, (1, "x" * 129)),  # type: ignore[arg-type]  # forged
        forge(MOMENTS, "id"),  # type: ignore[arg-type]  # forged
        forge(MOMENTS, (1.5, "id")),  # type: ignore[arg-type]  # forged
    ],
)
def test_a_token_that_is_none_is_refused(token: str) -> None:
    form = Form()
    read_page(form, ListSessionsRequest(page_token=token), MOMENTS, MIB)
    with pytest.raises(InvalidRequest, match="page_token"):
        form.done()
