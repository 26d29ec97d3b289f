# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""What comes from chance, made by the thousand: lapses of plays as `draws` draws them, and the texts of uuids."""

from array import array as make_array

from cpython.array cimport array, clone
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc

from ._text cimport PyUnicode_DecodeASCII

cdef array LAPSES = make_array("q")

cdef const char *HEX = "0123456789abcdef"


def write_ids(bytes numbers):
    """As `ids.write_ids`."""
    cdef const unsigned char *byte = <const unsigned char *>PyBytes_AS_STRING(numbers)
    cdef Py_ssize_t n
    cdef int k, place
    cdef char text[36]
    ids = []
    for n in range(PyBytes_GET_SIZE(numbers) // 16):
        place = 0
        for k in range(16):
            if k == 4 or k == 6 or k == 8 or k == 10:
                text[place] = 45
                place += 1
            text[place] = HEX[byte[0] >> 4]
            text[place + 1] = HEX[byte[0] & 15]
            place += 2
            byte += 1
        text[14] = 52
        text[19] = HEX[8 + ((byte - 8)[0] >> 4) % 4]
        ids.append(PyUnicode_DecodeASCII(text, 36, NULL))
    return ids


def draw(list pauses, const unsigned char[::1] chances, Py_ssize_t plays):
    """As `draws.draw`."""
    cdef Py_ssize_t n, k, picked
    cdef long long sum
    cdef const long long[::1] table
    cdef array row
    lapses = <long long *>PyMem_Malloc(plays * len(pauses) * sizeof(long long))
    if not lapses:
        raise MemoryError
    try:
        for k in range(len(pauses)):
            table = pauses[k]
            for n in range(plays):
                picked = chances[2 * (k * plays + n)] + 256 * chances[2 * (k * plays + n) + 1]
                lapses[n * len(pauses) + k] = table[picked % table.shape[0]]
        drawn = []
        for n in range(plays):
            row, sum = clone(LAPSES, len(pauses), False), 0
            for k in range(len(pauses)):
                sum += lapses[n * len(pauses) + k]
                row.data.as_longlongs[k] = sum
            drawn.append(row)
        return drawn
    finally:
        PyMem_Free(lapses)
