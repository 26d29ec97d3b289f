# cython: language_level=3
"""What the kernels of lines and of entries share: tables of bytes, and the reading of a record from its header on."""

from cpython cimport array
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    BATCH = 2048  # events that wait to be added to the columns

cdef enum:  # what became of a line
    DECLINED, TAKEN, HEADLESS


cdef struct Entry:
    uint64_t hash
    uint64_t offset
    uint32_t length
    int32_t value  # -1: free


cdef struct Slot:
    int32_t request, origin
    int64_t first, last, begun_line, begun_at, ended_line, ended_at


cdef class Table:
    cdef Entry *entries
    cdef size_t size, used
    cdef char *arena
    cdef size_t filled, room
    cdef uint64_t seed

    cdef int _make(self, size_t size) except -1
    cdef int32_t find(self, const char *key, size_t n) noexcept nogil
    cdef int add(self, const char *key, size_t n, int32_t value) except -1
    cdef void _put(self, Entry e) noexcept nogil
    cdef void clear(self) noexcept nogil


cdef class RowMatcher:
    cdef tuple literals
    cdef int count
    cdef const char **texts
    cdef size_t *sizes
    cdef tuple kept  # of each field: whether it is a fact
    cdef bint says, declines
    cdef int64_t tried, recurred

    cdef bint recurs(self) noexcept
    cdef bint match(self, const char *text, size_t n, const char **starts, size_t *lengths) noexcept nogil
    cdef tuple values(self, const char **starts, size_t *lengths)


cdef class Left:
    cdef object header
    cdef int32_t process, origin
    cdef bint debug, from_api, is_api, quick
    cdef int64_t pid
    cdef list matchers
    cdef int32_t *kinds  # of each row, -1 where its lines say nothing
    cdef uint8_t *keeps  # whether its facts are wanted
    cdef int64_t first, last
    cdef bint used
    cdef int32_t last_request
    cdef int64_t last_slot


cdef class Workers:
    cdef Table table
    cdef int32_t *requests  # MOST_PENDING of each
    cdef int32_t *counts
    cdef int32_t size, room

    cpdef push(self, int64_t pid, int32_t request)
    cdef int32_t *take(self, int64_t pid, int32_t *count) noexcept


cdef class Kernel:
    cdef object scanner, scan, slow
    cdef object events, kept
    cdef array.array latest
    cdef object busy
    cdef int source
    cdef bint oslo
    cdef readonly int64_t taken  # lines of the latest block that were not declined
    cdef Table lefts, contexts, kinds, slots, senders, requests, said, calls
    cdef int64_t let_go  # how often facts had been let go when the latest block began: their numbers in ``said`` hold no longer after that
    cdef bint names  # whether all facts are wanted, and names of projects and users
    cdef list left_list, kind_list, sender_list
    cdef int32_t *context_request
    cdef uint8_t *context_flags
    cdef uint64_t *context_offset  # where its text lies in the table's arena
    cdef size_t *context_length
    cdef int32_t context_count, context_room
    cdef int32_t *recent  # of each process: the bracket of its latest line
    cdef int32_t recent_room
    cdef Slot *slot
    cdef int32_t slot_count, slot_room
    cdef Workers workers
    cdef Left last_left
    cdef int32_t pended_request, pended_process  # whom `_pend` was last told of; -1: nobody
    cdef bint pended_debug
    # events that wait
    cdef int32_t w_request[BATCH]
    cdef int32_t w_kind[BATCH]
    cdef int32_t w_origin[BATCH]
    cdef int32_t w_fact[BATCH]
    cdef int64_t w_line[BATCH]
    cdef int64_t w_at[BATCH]
    cdef char w_uuid[BATCH][36]
    cdef int waiting
    # a line that had to be changed
    cdef char *scratch
    cdef size_t scratch_room

    # what differs between lines and entries
    cdef int _open_block(self, bytes data) except -1
    cdef int _bare(self, const char **line, size_t *n) except -1
    cdef int _take(self, const char *line, size_t n, int64_t number, int64_t offset, int64_t length) except -1
    cdef int64_t _instant(self, const char *key) except? -1
    cdef int _resume(self) except -1
    # what they share
    cdef int _make_room(self, size_t n) except -1
    cdef int _sync(self) except -1
    cdef int _decline(self, const char *text, size_t n, int64_t number, int64_t offset, int64_t length) except -1
    cdef int _record(self, const char *key, const char *text, const char *end, int64_t number, int64_t offset, int64_t length) except -1
    cdef int _headless(self, const char *key, const char *body, const char *end, int64_t number) except -1
    cdef int32_t _add_context(self, Left left, const char *text, size_t n, int32_t request) except -1
    cdef int32_t _find_context(self, int32_t process, const char *text, size_t n) except? -2
    cdef int _make_recent(self, int32_t process) except -1
    cdef int32_t _read_context(self, Left left, const char *text, const char *end) except? -2
    cdef bint _take_access(self, const char *text, const char *end) except -1
    cdef int _add_access(self, int64_t pid, const char *method, Py_ssize_t n, const char *path, Py_ssize_t m, int32_t status, int64_t lasted) except -1
    cdef int _count(self, Left left, int32_t request, int64_t at, int64_t number, int64_t latest) except -1
    cdef int _pend(self, Left left, int32_t request, const char *line, const char *end) except -1
    cdef bint _message(self, Left left, int32_t request, const char *text, const char *end, int64_t at, int64_t number) except -1
    cdef bint _transition(self, Left left, int32_t request, const char *text, const char *end, int64_t at, int64_t number) except -1
    cdef tuple _find_results(self, const char *text, const char *end, tuple finders)
    cdef int _add(self, int32_t request, int32_t kind, int32_t origin, int64_t at, int64_t number, const char *uuid, facts) except -1
    cdef int _add_often(
        self, int32_t request, int32_t kind, int32_t origin, int64_t at, int64_t number, RowMatcher matcher,
        const char *text, size_t n, const char **starts, size_t *lengths,
    ) except -1
    cdef int _flush(self) except -1


cdef size_t drop_escapes(const char *text, size_t n, char *out) noexcept nogil
cdef bint has_escapes(const char *text, size_t n) noexcept nogil
