"""Records are the same whatever the sizes of the pieces in which a file arrives."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.customers.csv_rows import LONGEST_RECORD, Reader, Record
from domain.runs import Refused


def read(data: bytes, sizes: list[int]) -> list[Record]:
    reader, found, start = Reader(), [], 0
    for size in sizes:
        found += reader.feed(data[start : start + size])
        start += size
    found += reader.feed(data[start:])
    return found + reader.feed(b"", True)


cells = st.text(alphabet='a"",\n\r\n 王é\t', max_size=6).map(lambda cell: cell.replace("\r", "\r\n"))


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.lists(cells, min_size=1, max_size=4), max_size=8),
    sizes=st.lists(st.integers(1, 9), max_size=30),
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_any_pieces_give_the_records_of_the_whole(
    rows: list[list[str]], sizes: list[int], ending: str
) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator=ending).writerows(rows)
    data = out.getvalue().encode()
    expected = [row for row in csv.reader(io.StringIO(out.getvalue(), newline="")) if row]
    found = read(data, sizes)
    assert [record.cells for record in found] == expected
    assert read(data, []) == found
    # From the end of any record on, the rest of the file is the rest of the records.
    for number, record in enumerate(found):
        again = Reader(record.next_offset, record.next_line)
        rest = again.feed(data[record.next_offset :]) + again.feed(b"", True)
        assert rest == found[number + 1 :]


def test_each_record_knows_its_line_and_where_it_ends() -> None:
    data = '\ufeffa,b\r\n"x\ny",1\n\nlast,2'.encode()
    assert read(data, [4, 4, 4]) == [
        Record(1, ["a", "b"], 8, 2),
        Record(2, ["x\ny", "1"], 16, 4),
        Record(5, ["last", "2"], 23, 6),
    ]


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"a,b\nx,\xff\n", "IMPORT_ENCODING", "line 2, byte 3: the file is not UTF-8"),
        ("a,b\n".encode("utf-16"), "IMPORT_ENCODING", "line 1, byte 1: the file is not UTF-8"),
        (b"a,b\nx,\xe7\x8e", "IMPORT_ENCODING", "line 2, byte 3: the file is not UTF-8"),
        (b'a,b\n"x,1\ny,2\n', "IMPORT_FORMAT", "line 2: a quote is not closed"),
        (b"a,b\nx,1\ry,2\n", "IMPORT_FORMAT", "line 2: new-line character seen in unquoted field"),
        (b"x" * (LONGEST_RECORD + 1), "IMPORT_FORMAT", "line 1: a record is longer than 1048576 bytes"),
    ],
)
def test_what_is_not_csv_in_utf_8_is_refused_with_its_line(data: bytes, code: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        read(data, [1] * min(len(data), 40))
    assert (refused.value.code, str(refused.value)[: len(message)]) == (code, message)
