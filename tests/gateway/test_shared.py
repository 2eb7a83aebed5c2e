from cleanroom.gateway.shared import said_of
from cleanroom.gateway.source import Answer
from cleanroom.gateway.store_wire import Said


def test_only_what_is_needed_again_is_kept_of_an_answer() -> None:
    fields = (("content-type", "text/html"), ("etag", '"1"'), ("set-cookie", "secret"))
    assert said_of(Answer(200, fields, 1)) == Said("text/html", '"1"', "")
    assert said_of(Answer(200, fields, 1, "b.test")).sender == "b.test"
    assert said_of(None) == Said()
    assert len(said_of(Answer(200, (("etag", "x" * 5000),), 1)).etag) == 1024
