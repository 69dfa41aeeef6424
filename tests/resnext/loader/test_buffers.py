import os

import pytest

from resnext.loader.buffers import Borrowed, BufferPool


def test_taken_buffer_is_not_given_again() -> None:
    pool = BufferPool(4)
    first, second = pool.take(100), pool.take(100)
    first.buffer.data.fill(1)
    second.buffer.data.fill(2)
    assert first.buffer.data.tolist() == [1] * 100


def test_buffer_that_was_handed_back_is_given_again_to_whoever_it_is_large_enough_for() -> None:
    pool = BufferPool(4)
    first = pool.take(100)
    assert (len(first.buffer.data), first.buffer.taken.tolist()) == (100, [1])
    first.buffer.taken.fill(0)
    larger = pool.take(101)
    assert larger.buffer.data.ctypes.data != first.buffer.data.ctypes.data
    larger.buffer.taken.fill(0)
    again = pool.take(7)
    assert again.buffer.data.ctypes.data == larger.buffer.data.ctypes.data
    assert (len(again.buffer.data), again.buffer.taken.tolist()) == (101, [1])


def test_smallest_buffer_that_is_large_enough_is_taken() -> None:
    pool = BufferPool(4)
    buffers = [pool.take(size) for size in (300, 100, 200)]
    for each in buffers:
        each.buffer.taken.fill(0)
    assert pool.take(150).buffer.data.ctypes.data == buffers[2].buffer.data.ctypes.data


def test_buffers_that_never_come_back_are_forgotten() -> None:
    pool = BufferPool(2)
    buffers = [pool.take(10) for _ in range(3)]
    for each in buffers:
        each.buffer.taken.fill(0)
    kept = {pool.take(10).buffer.data.ctypes.data for _ in range(2)}
    assert kept == {each.buffer.data.ctypes.data for each in buffers[1:]}


def test_nothing_is_kept_where_nothing_is_handed_back() -> None:
    pool = BufferPool(0)
    first = pool.take(10)
    first.buffer.taken.fill(0)
    assert pool.take(10).buffer.data.ctypes.data != first.buffer.data.ctypes.data


def test_data_lies_where_numbers_of_any_kind_may_lie() -> None:
    assert BufferPool(1).take(1000).buffer.data.ctypes.data % 64 == 0


def test_buffer_that_grows_takes_the_place_of_the_one_before() -> None:
    pool = BufferPool(4)
    first = pool.take(2)
    first.buffer.data[:] = (5, 6)
    larger = pool.enlarge(first, 9, 1)
    assert (len(larger.buffer.data), larger.buffer.data[0], larger.place) == (9, 5, first.place)
    assert first.file is not None
    assert larger.file is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(first.file)  # which nobody was told of
    assert os.fstat(larger.file).st_size == 64 + 9
    larger.buffer.taken.fill(0)
    again = pool.take(9)
    assert (again.place, again.file) == (larger.place, None)


def test_borrowed_memory_is_one_loan_however_often_it_grows() -> None:
    pool = BufferPool(4)
    borrowed = Borrowed(pool)
    borrowed.enlarge(1, 0)[0] = 3
    assert borrowed.enlarge(50, 1)[0] == 3
    assert borrowed.loan is not None
    assert (borrowed.loan.place, len(borrowed.loan.buffer.data)) == (0, 50)
    assert pool.take(1).place == 1
