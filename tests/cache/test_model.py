from cleanroom.cache.model import Digests


def test_one_of_several_digests_is_enough() -> None:
    digests = Digests("a" * 64, "b" * 128, "c" * 40, 7)
    assert digests.has_any(("sha512:" + "0" * 128, "sha1:" + "c" * 40))
    assert not digests.has_any(("sha512:" + "a" * 64, "sha256:" + "b" * 128))
    assert not digests.has_any(())
