# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""What `alike.relate` says, of many requests at once."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcmp

cdef extern from "_bytes.h":
    const char *find_bytes(const char *text, size_t n, const char *what, size_t m) nogil

cdef enum:  # as in `alike`
    VOLUME = 0
    SIZE = 2
    RESERVED = 4
    ADMITTED = 6
    CHOSEN = 7
    ALONE = -1
    UNLIKE = -2  # of another shape: `alike.relate` has to look


cdef inline bint _is_mark(char c) noexcept nogil:
    return c == 32 or c == 117 or c == 39 or c == 34 or c == 91 or c == 93  # as `alike._LIST_MARKS`


cdef bint _same(PyObject *one, PyObject *other) noexcept:
    if one == other:
        return True
    cdef Py_ssize_t n = PyBytes_GET_SIZE(<object>one)
    return n == PyBytes_GET_SIZE(<object>other) and memcmp(PyBytes_AS_STRING(<object>one), PyBytes_AS_STRING(<object>other), n) == 0


cdef bint _same_but_for_marks(PyObject *one, PyObject *other) noexcept:
    if one == other:
        return True
    cdef const char *p = PyBytes_AS_STRING(<object>one)
    cdef const char *q = PyBytes_AS_STRING(<object>other)
    cdef const char *p_end = p + PyBytes_GET_SIZE(<object>one)
    cdef const char *q_end = q + PyBytes_GET_SIZE(<object>other)
    while True:
        while p < p_end and _is_mark(p[0]):
            p += 1
        while q < q_end and _is_mark(q[0]):
            q += 1
        if p == p_end or q == q_end:
            return p == p_end and q == q_end
        if p[0] != q[0]:
            return False
        p += 1
        q += 1


cdef bint _is_among(PyObject *value, PyObject *admitted) noexcept:
    """Whether the value stands between single quotes in what was admitted."""
    cdef const char *text = PyBytes_AS_STRING(<object>admitted)
    cdef const char *end = text + PyBytes_GET_SIZE(<object>admitted)
    cdef Py_ssize_t n = PyBytes_GET_SIZE(<object>value)
    cdef const char *p = text
    while True:
        p = <const char *>find_bytes(p, end - p, b"'", 1)
        if p == NULL or end - p < n + 2:
            return False
        p += 1
        if p[n] == 39 and memcmp(p, PyBytes_AS_STRING(<object>value), n) == 0:
            return True


def relate(list facts, const int32_t[:, :] rows, const int32_t[:, ::1] wanted, int64_t[::1] found):
    """Writes for each request, one of ``rows`` (of each event the place of its facts), what `alike.relate` says of it: bits, or one of the marks above."""
    cdef Py_ssize_t n, i
    cdef int64_t bits
    cdef int role
    cdef int32_t fact
    cdef PyObject *own
    cdef PyObject *value
    cdef PyObject *firsts[8]
    for n in range(rows.shape[0]):
        bits = 0
        for i in range(8):
            firsts[i] = NULL
        for i in range(wanted.shape[0]):
            fact = rows[n, wanted[i, 1]]
            if fact < 0:
                continue
            own = PyList_GET_ITEM(facts, fact)
            if not PyTuple_CheckExact(<object>own):
                bits = UNLIKE
                break
            if PyTuple_GET_SIZE(<object>own) == 0:
                continue
            value = PyTuple_GET_ITEM(<object>own, wanted[i, 2])
            if value == <PyObject *>None:
                continue
            if not PyBytes_CheckExact(<object>value):
                bits = UNLIKE
                break
            bits |= <int64_t>1 << i
            role = wanted[i, 0]
            if role == CHOSEN:
                if firsts[ADMITTED] != NULL and not _is_among(value, firsts[ADMITTED]):
                    bits = ALONE
                    break
            elif role == RESERVED:
                if find_bytes(PyBytes_AS_STRING(<object>value), PyBytes_GET_SIZE(<object>value), b"...", 3) != NULL:
                    bits = ALONE
                    break
                if firsts[role] != NULL and not _same_but_for_marks(value, firsts[role]):
                    bits = ALONE
                    break
                firsts[role] = value
            elif role == ADMITTED or firsts[role] == NULL:
                firsts[role] = value
            elif not _same(value, firsts[role]):
                bits = ALONE
                break
        found[n] = bits
