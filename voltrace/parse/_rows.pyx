# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""What `rows` does, for who has no other need of numpy."""

from array import array as make_array

from cpython.array cimport array, clone
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcpy

cdef array LONGS = make_array("q")


def most(const int[::1] request):
    """As `rows.most`."""
    cdef Py_ssize_t n, count = request.shape[0]
    cdef int highest = -1
    for n in range(count):
        if request[n] > highest:
            highest = request[n]
    if highest < 0:
        return 0
    cdef array counts = clone(LONGS, highest + 1, True)
    cdef long long[::1] counted = counts
    cdef long long found = 0
    for n in range(count):
        if request[n] >= 0:
            counted[request[n]] += 1
            if counted[request[n]] > found:
                found = counted[request[n]]
    return found


def select(const int[::1] column, const unsigned char[::1] flags):
    """As `rows.select`."""
    cdef Py_ssize_t n, count = 0
    for n in range(column.shape[0]):
        count += flags[column[n]] != 0
    cdef array rows = clone(LONGS, count, False)
    cdef long long[::1] found = rows
    count = 0
    for n in range(column.shape[0]):
        if flags[column[n]]:
            found[count] = n
            count += 1
    return rows


def by_part(const int[::1] request, const unsigned short[::1] parts, int count, const unsigned char[::1] away):
    """As `rows.by_part`."""
    cdef Py_ssize_t n, total = 0
    cdef int part, none = parts.shape[0] - 1
    cdef array bounds = clone(LONGS, count + 1, True)
    cdef array nexts = clone(LONGS, count + 1, True)
    cdef long long[::1] bound = bounds
    cdef long long[::1] following = nexts
    for n in range(request.shape[0]):
        if away[n]:
            bound[parts[request[n] if request[n] >= 0 else none] + 1] += 1
            total += 1
    for part in range(count):
        bound[part + 1] += bound[part]
        following[part] = bound[part]
    cdef array order = clone(LONGS, total, False)
    cdef long long[::1] rows = order
    for n in range(request.shape[0]):
        if away[n]:
            part = parts[request[n] if request[n] >= 0 else none]
            rows[following[part]] = n
            following[part] += 1
    return order, bounds


def take(const unsigned char[::1] column, Py_ssize_t width, const long long[::1] rows):
    """As `rows.take`."""
    cdef Py_ssize_t n, count = rows.shape[0]
    cdef bytes found = PyBytes_FromStringAndSize(NULL, count * width)
    cdef char *to = PyBytes_AS_STRING(found)
    if width == 4:
        for n in range(count):
            (<int *>to)[n] = (<const int *>&column[0])[rows[n]]
    elif width == 8:
        for n in range(count):
            (<long long *>to)[n] = (<const long long *>&column[0])[rows[n]]
    else:
        for n in range(count):
            memcpy(to + n * width, &column[rows[n] * width], width)
    return found
