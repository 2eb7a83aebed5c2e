import pytest

from cleanroom.cli.sizes import read_size, size_text
from cleanroom.errors import UsageError


def test_sizes_are_read_and_written() -> None:
    assert [read_size(text) for text in ("0", "7B", "500MiB", "2TiB")] == [0, 7, 500 << 20, 2 << 40]
    for text in ("", "5", "00", "5GB", "-1", "1.5GiB", "5 GiB", "٣"):
        with pytest.raises(UsageError, match="as a size"):
            read_size(text)
    assert [size_text(count) for count in (0, 1023, 1536, 3 << 40)] == [
        "0 B", "1023 B", "1.5 KiB", "3.0 TiB"
    ]  # fmt: skip
