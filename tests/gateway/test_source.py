from cleanroom.gateway.source import Answer


def test_a_field_is_found_by_its_name() -> None:
    answer = Answer(200, (("etag", '"1"'), ("etag", '"2"')), None)
    assert answer.field("etag") == '"1"'
    assert answer.field("content-type") == ""
