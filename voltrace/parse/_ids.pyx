# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What `ids.PureRows` does, in C."""

from array import array as make_array

from cpython.array cimport array, clone
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

cdef extern from "_bytes.h":
    uint64_t hash_bytes(const char *key, size_t n, uint64_t seed) nogil

cdef enum:
    ROW = 16
    ID = 40  # characters of an id that is `req-` and a uuid

cdef array INTS = make_array("i")
cdef const char *DIGITS = b"0123456789abcdef"


cdef class Rows:
    """Rows of 16 bytes, each once, numbered in the order in which they came. ``seed``: so that no log can be written to be slow here. There are ``most`` at most."""

    cdef char *rows
    cdef int32_t *slots
    cdef size_t count, room, size, most
    cdef uint64_t seed
    cdef readonly bint full  # whether one did not find room

    def __cinit__(self, uint64_t seed, size_t most):
        self.seed, self.most = seed, most
        self.room = 64
        self.rows = <char *>PyMem_Malloc(self.room * ROW)
        self.size = 256
        self.slots = <int32_t *>PyMem_Malloc(self.size * sizeof(int32_t))
        if self.rows == NULL or self.slots == NULL:
            raise MemoryError()
        memset(self.slots, 255, self.size * sizeof(int32_t))

    def __dealloc__(self):
        PyMem_Free(self.rows)
        PyMem_Free(self.slots)

    def __len__(self):
        return self.count

    cdef inline size_t _slot(self, const char *row) noexcept nogil:
        """Where the row's number stands, or the free slot where it is to stand."""
        cdef size_t i = hash_bytes(row, ROW, self.seed) & (self.size - 1)
        while self.slots[i] >= 0 and memcmp(self.rows + <size_t>self.slots[i] * ROW, row, ROW) != 0:
            i = (i + 1) & (self.size - 1)
        return i

    cdef int _widen(self) except -1:
        """Twice as many slots."""
        cdef size_t n
        PyMem_Free(self.slots)
        self.size *= 2
        self.slots = <int32_t *>PyMem_Malloc(self.size * sizeof(int32_t))
        if self.slots == NULL:
            raise MemoryError()
        memset(self.slots, 255, self.size * sizeof(int32_t))
        for n in range(self.count):
            self.slots[self._slot(self.rows + n * ROW)] = <int32_t>n
        return 0

    cdef int32_t _number(self, const char *row) except -2:
        cdef size_t i = self._slot(row)
        if self.slots[i] >= 0:
            return self.slots[i]
        if self.count == self.most:
            self.full = True
            return -1
        if self.count == self.room:
            self.room += self.room // 4
            self.rows = <char *>PyMem_Realloc(self.rows, self.room * ROW)
            if self.rows == NULL:
                raise MemoryError()
        memcpy(self.rows + self.count * ROW, row, ROW)
        self.slots[i] = <int32_t>self.count
        self.count += 1
        if self.count * 4 > self.size * 3:
            self._widen()
        return <int32_t>(self.count - 1)

    def number(self, bytes row):
        """The number of this row; a new one, if it was not there; -1 if there is no room for it."""
        return self._number(PyBytes_AS_STRING(row))

    def number_all(self, bytes rows):
        """The numbers of these rows, which stand one behind the other."""
        cdef Py_ssize_t n, count = PyBytes_GET_SIZE(rows) // ROW
        cdef array found = clone(INTS, count, False)
        for n in range(count):
            found.data.as_ints[n] = self._number(PyBytes_AS_STRING(rows) + n * ROW)
        return found

    def find(self, bytes row):
        """The number of this row, -1 if it is not there."""
        return self.slots[self._slot(PyBytes_AS_STRING(row))]

    def row(self, size_t number):
        """The row of this number."""
        if number >= self.count:
            raise IndexError(number)
        return PyBytes_FromStringAndSize(self.rows + number * ROW, ROW)

    def all(self):
        """All rows, one behind the other."""
        return PyBytes_FromStringAndSize(self.rows, self.count * ROW)


def pack(str text):
    """The 16 bytes of an id that is `req-` and a uuid in small letters; None for all others."""
    cdef Py_ssize_t n, size
    cdef const char *p = PyUnicode_AsUTF8AndSize(text, &size)
    cdef uint8_t row[ROW]
    cdef int c, digits = 0
    if size != ID or memcmp(p, b"req-", 4) != 0:
        return None
    for n in range(4, ID):
        c = p[n]
        if n == 12 or n == 17 or n == 22 or n == 27:
            if c != 45:
                return None
            continue
        if 48 <= c <= 57:
            c -= 48
        elif 97 <= c <= 102:
            c -= 87
        else:
            return None
        row[digits // 2] = <uint8_t>(row[digits // 2] << 4 | c) if digits & 1 else <uint8_t>c
        digits += 1
    return PyBytes_FromStringAndSize(<char *>row, ROW)
