# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""Forms of truth, filled in as bytes: what `truth_form.Form` does."""

from cpython.array cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.string cimport memcpy

from ._text cimport PyUnicode_AsUTF8AndSize, PyUnicode_IS_ASCII, write_digits

from ..encode import write_second
from .truth_form import others, quote

cdef enum:
    ISO = 26  # bytes of an instant
    LAPSE = 32  # bytes of the longest duration


cdef struct Value:
    const char *text
    Py_ssize_t size
    bint quoted  # quotes go around it


cdef class Form:
    """A form of truth, as `truth_form.Form`."""

    cdef bytes texts  # the pieces, one behind the other
    cdef Py_ssize_t *ends  # of each piece, where its text ends
    cdef int *gaps
    cdef int *instants
    cdef int *lapses  # pairs: end, start
    cdef int instant_count, lapse_count, gap_count, needed
    cdef Py_ssize_t room, records
    cdef Value *values
    cdef char *scratch
    cdef long long *ats
    cdef long long second
    cdef bytes head

    def __cinit__(self, tuple instants, tuple lapses, list pieces, tuple gaps):
        cdef Py_ssize_t n, end = 0
        self.instant_count, self.lapse_count, self.gap_count, self.needed = len(instants), len(lapses), len(gaps), max(gaps) + 1
        self.instants = <int *>PyMem_Malloc((len(instants) + 2 * len(lapses) + len(gaps)) * sizeof(int))
        self.ends = <Py_ssize_t *>PyMem_Malloc(len(pieces) * sizeof(Py_ssize_t))
        self.scratch = <char *>PyMem_Malloc(len(instants) * ISO + len(lapses) * LAPSE)
        if not (self.instants and self.ends and self.scratch):
            raise MemoryError
        self.lapses = self.instants + len(instants)
        self.gaps = self.lapses + 2 * len(lapses)
        for n, number in enumerate((*instants, *[number for pair in lapses for number in pair], *gaps)):
            self.instants[n] = number
        texts = [piece.encode() for piece in pieces]
        for n, text in enumerate(texts):
            end += len(text)
            self.ends[n] = end
        self.texts = b"".join(texts)

    def __dealloc__(self):
        PyMem_Free(self.values)
        PyMem_Free(self.instants)
        PyMem_Free(self.ends)
        PyMem_Free(self.scratch)
        PyMem_Free(self.ats)

    def fill(self, story):
        cdef Py_ssize_t n
        cdef char *at = self.scratch
        cdef char *start
        cdef list made = [], runs = story.runs
        ready, names = others(story)
        self._collect(story.start, story.end, runs)
        self._reserve(self.instant_count + self.lapse_count + sum([len(run.ids) for run in runs]) + len(ready) + len(names))
        cdef Value *value = self.values
        for n in range(self.instant_count):
            self._instant(self.ats[self.instants[n]], at)
            value.text, value.size, value.quoted = at, ISO, False
            at += ISO
            value += 1
        for n in range(self.lapse_count):
            start = at
            at = write_seconds(self.ats[self.lapses[2 * n]] - self.ats[self.lapses[2 * n + 1]], at)
            value.text, value.size, value.quoted = start, at - start, False
            value += 1
        for run in runs:
            for text in (<dict>run.ids).values():
                value.text, value.quoted = PyUnicode_AsUTF8AndSize(text, &value.size), False
                value += 1
        for text in <tuple>ready:
            point_to(text, value, made)
            value += 1
        for name in <list>names:
            if type(name) is str and is_plain(name):
                value.text, value.quoted = PyUnicode_AsUTF8AndSize(name, &value.size), True
            else:
                point_to("null" if name is None else quote(name), value, made)
            value += 1
        return self._join()

    cdef int _reserve(self, Py_ssize_t count) except -1:
        """Makes room for so many values."""
        if count < self.needed:
            raise ValueError(f"a form with {self.needed} gaps cannot be filled in with {count} values")
        if count > self.room:
            values = <Value *>PyMem_Realloc(self.values, count * sizeof(Value))
            if not values:
                raise MemoryError
            self.values, self.room = values, count
        return 0

    cdef bytes _join(self):
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.texts), n, begin = 0
        cdef Value *value
        for n in range(self.gap_count):
            value = self.values + self.gaps[n]
            size += value.size + 2 * value.quoted
        line = PyBytes_FromStringAndSize(NULL, size)
        cdef char *at = PyBytes_AS_STRING(line)
        cdef const char *texts = PyBytes_AS_STRING(self.texts)
        for n in range(self.gap_count + 1):
            size = self.ends[n] - begin
            memcpy(at, texts + begin, size)
            at += size
            begin += size
            if n < self.gap_count:
                value = self.values + self.gaps[n]
                if value.quoted:
                    at[0] = at[value.size + 1] = 34
                    at += 1
                memcpy(at, value.text, value.size)
                at += value.size + value.quoted
        return line

    cdef int _collect(self, long long start, long long end, list runs) except -1:
        """Lays out the story's instants: its own, then those of all records."""
        cdef Py_ssize_t n = 2, k, length
        cdef array lapses
        cdef long long begin
        for run in runs:
            for play in <list>run.plays:
                lapses, begin = play.shown or play.lapses, play.begin
                length = len(lapses)
                if n + length > self.records or not self.records:
                    self.records = 2 * (n + length)
                    ats = <long long *>PyMem_Realloc(self.ats, self.records * sizeof(long long))
                    if not ats:
                        raise MemoryError
                    self.ats = ats
                for k in range(length):
                    self.ats[n + k] = begin + lapses.data.as_longlongs[k]
                n += length
        self.ats[0], self.ats[1] = start, end
        return 0

    cdef int _instant(self, long long at, char *to) except -1:
        """Writes an instant as ISO 8601 without zone: `ISO` bytes."""
        cdef long long second = at // 1000000
        if self.head is None or second != self.second:
            self.second, self.head = second, write_second(second).encode()
        memcpy(to, PyBytes_AS_STRING(self.head), ISO - 7)
        to[ISO - 7] = 46
        write_digits(to + ISO - 6, at - second * 1000000, 6)
        return 0


cdef int point_to(str text, Value *value, list made) except -1:
    """Points the value to a text that is nobody else's."""
    data = text.encode()
    made.append(data)
    value.text, value.size, value.quoted = PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), False
    return 0


cdef bint is_plain(str text) except -1:
    """Whether JSON shows it as it is, between quotes."""
    cdef Py_ssize_t size, n
    if not PyUnicode_IS_ASCII(text):
        return False
    cdef const char *data = PyUnicode_AsUTF8AndSize(text, &size)
    for n in range(size):
        if data[n] < 32 or data[n] == 34 or data[n] == 92:
            return False
    return True


cdef char *write_seconds(long long us, char *at) except NULL:
    """Writes a duration (µs) in seconds as Python's repr of a float does. Where it ends."""
    cdef long long whole = us // 1000000
    cdef int digits = 0
    cdef long long rest = whole
    if us < 100 or us > 1000000000000000:  # with an exponent, or a sign, or without need
        text = repr(us / 1e6).encode()
        memcpy(at, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        return at + PyBytes_GET_SIZE(text)
    while rest or not digits:
        digits += 1
        rest //= 10
    write_digits(at, whole, digits)
    at += digits
    at[0] = 46
    write_digits(at + 1, us - whole * 1000000, 6)
    at += 7
    while (at - 1)[0] == 48 and (at - 2)[0] != 46:
        at -= 1
    return at
