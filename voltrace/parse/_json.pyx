# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled kernel of the journal's json: an object a line, taken apart in one pass without making it a Python object.

What `unpack_json` and `entries.make_entry` do is done here for entries that look as they should: each field that is read there at most once,
a stamp, one line of text or of bytes. All others are declined, and `EntryScanner._line` reads them. What is accepted is accepted by
`json.loads`, too, and means the same.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint16_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from ._scan cimport DECLINED, HEADLESS, TAKEN, Kernel, Table, drop_escapes, has_escapes

cdef extern from "_bytes.h":
    const char *find_mark(const char *p, const char *end, char one, char other, unsigned char last) nogil
    const char *read_numbers(const char *p, const char *end, char **out) nogil
    bint is_ascii(const char *p, const char *end) nogil

# What may stand behind a backslash, and what it means there.
cdef const char *ESCAPES = b'"\\/bfnrt'
cdef const char *ESCAPED = b'"\\/\b\f\n\r\t'

cdef enum:
    WRITER = 4  # bytes that stand for who writes, before the text
    MOST_WRITERS = 100_000
    LONGEST_WRITER = 600
    MOST_FIELDS = 16
    DEEPEST = 16
    LONGEST_NUMBER = 300
    MESSAGE = 0


cdef struct Value:
    const char *text
    Py_ssize_t size
    bint seen, escaped


cdef class EntryKernel(Kernel):
    """Reads the entries of one source of json for its `EntryScanner`."""

    cdef Table writers
    cdef list names  # of the fields that are read
    cdef const char *name[MOST_FIELDS]
    cdef Py_ssize_t name_size[MOST_FIELDS]
    cdef uint64_t sizes  # of all names: a bit each
    cdef int count, stamps  # fields that are read; of them are stamps those up to `stamps`, the message is before, who writes behind
    cdef Value values[MOST_FIELDS]
    cdef int64_t at, latest_stamp
    cdef int32_t writer  # of the line that is being read; -1: not known
    cdef Py_ssize_t size  # of the message
    cdef bint controls  # whether it may hold control characters
    cdef bint valid  # whether the block is UTF-8

    def __cinit__(self, scanner, workers):
        from .entries import STAMPS, WHO, YEAR_9999

        cdef int i
        self.writers = Table(scanner.scan.seed)
        self.names = [name.encode() for name in ("MESSAGE", *STAMPS, *WHO)]
        self.count, self.stamps, self.latest_stamp, self.writer = len(self.names), 1 + len(STAMPS), YEAR_9999, -1
        if self.count > MOST_FIELDS or max(map(len, self.names)) > 63:
            raise ValueError("too many fields, or too long")
        for i in range(self.count):
            self.name[i], self.name_size[i] = PyBytes_AS_STRING(self.names[i]), PyBytes_GET_SIZE(self.names[i])
            self.sizes |= <uint64_t>1 << self.name_size[i]

    def learn(self, bytes key, int bracket, header, bint from_api, bint is_api):
        """The header of the entry that was declined: ``key`` is its text up to the end of the bracket's inside."""
        if self.writer >= 0:
            Kernel.learn(self, self._prefix() + key, WRITER + bracket, header, from_api, is_api)

    def learn_sender(self, bytes key, process, bint quick):
        """The entry that was declined has no level, logger and bracket; ``key`` is empty."""
        if self.writer >= 0:
            Kernel.learn_sender(self, self._prefix() + key, process, quick)

    cdef bytes _prefix(self):
        return PyBytes_FromStringAndSize(self.scratch, WRITER)

    cdef int _open_block(self, bytes data) except -1:
        self.valid = True
        if not data.isascii():
            try:
                data.decode("utf-8")
            except UnicodeDecodeError:
                self.valid = False
        return 0

    cdef int _resume(self) except -1:
        self.writer = -1
        return 0

    cdef int64_t _instant(self, const char *key) except? -1:
        return self.at

    cdef int _take(self, const char *line, size_t n, int64_t number, int64_t offset, int64_t length) except -1:
        cdef const char *end = line + n
        cdef char *text
        cdef int found
        self.writer = -1
        while line < end and _is_around(line[0]):
            line += 1
        while end > line and _is_around((end - 1)[0]):
            end -= 1
        if not self.valid and not is_ascii(line, end):
            return DECLINED
        self._make_room(WRITER + n)
        if not self._take_apart(line, end) or not self._read_stamp() or not self._find_writer():
            return DECLINED
        text, n = self.scratch + WRITER, self.size
        if self.controls and memchr(text, 10, n) != NULL:
            return DECLINED
        if (self.controls or memchr(text, 35, n) != NULL) and has_escapes(text, n):  # a control character, or its number behind #
            n = drop_escapes(text, n, text)
        if n >= 3 and memcmp(text, b"\xef\xbb\xbf", 3) == 0:
            return DECLINED
        if n and text[n - 1] == 13:
            n -= 1
        if not n:
            return DECLINED
        found = self._record(self.scratch, text, text + n, number, offset, length)
        if found == HEADLESS:
            found = self._headless(self.scratch, text, text + n, number)
        if found == TAKEN:
            self.writer = -1
        return found

    cdef bint _take_apart(self, const char *p, const char *end) noexcept:
        """Find the fields of the object that the line is, and read its message; False if it is no such object."""
        cdef const char *key
        cdef int field
        self.controls = False
        memset(self.values, 0, self.count * sizeof(Value))
        if p >= end or p[0] != 123:  # {
            return False
        p = _over_blanks(p + 1, end)
        while True:
            if p >= end or p[0] != 34:
                return False
            key = p + 1
            p = _plain(key, end)
            if p >= end or p[0] != 34:
                return False
            field = self._find_field(key, p - key)
            p = _over_colon(p + 1, end)
            if p == NULL:
                return False
            if field < 0:
                p = _over_value(p, end, DEEPEST)
            elif self.values[field].seen:
                return False
            else:
                self.values[field].seen = True
                p = self._read_message(p, end) if field == MESSAGE else _read_field(p, end, &self.values[field])
            if p == NULL:
                return False
            p = _over_blanks(p, end)
            if p >= end:
                return False
            if p[0] == 125:  # }
                return p + 1 == end and self.values[MESSAGE].seen
            if p[0] != 44:
                return False
            p = _over_blanks(p + 1, end)

    cdef inline int _find_field(self, const char *key, Py_ssize_t size) noexcept:
        cdef int i
        if size < 64 and self.sizes >> size & 1:
            for i in range(self.count):
                if self.name_size[i] == size and memcmp(self.name[i], key, size) == 0:
                    return i
        return -1

    cdef const char *_read_message(self, const char *p, const char *end) noexcept:
        """Decode the message, text or an array of bytes, to its place in the scratch; behind it in the line, NULL if it is neither."""
        cdef char *stop = self.scratch + WRITER
        if p < end and p[0] == 34:
            p = _decode(p + 1, end, &stop, &self.controls)
        elif p < end and p[0] == 91:  # [
            p = _read_bytes(p + 1, end, &stop)
            self.controls = True
        else:
            return NULL
        self.size = stop - self.scratch - WRITER
        return p

    cdef bint _read_stamp(self) noexcept:
        """The sender's stamp, or the journal's; False if that is none."""
        cdef int i, k
        cdef int64_t at = 0
        cdef Value *value
        for i in range(1, self.stamps):
            value = &self.values[i]
            if value.seen:
                if not 0 < value.size < 19:
                    return False
                for k in range(value.size):
                    if not 48 <= value.text[k] <= 57:
                        return False
                    at = at * 10 + value.text[k] - 48
                self.at = at
                return 0 < at < self.latest_stamp
        return False

    cdef bint _find_writer(self) except -1:
        """Put the number of who writes before the text; False if it cannot be told."""
        cdef char key[LONGEST_WRITER]
        cdef char *stop = key
        cdef char *begin
        cdef int i
        cdef int32_t found
        cdef uint16_t size
        cdef Value *value
        for i in range(self.stamps, self.count):
            value = &self.values[i]
            stop[0] = value.seen
            stop += 1
            if not value.seen:
                continue
            if stop - key + value.size + MOST_FIELDS > LONGEST_WRITER:
                return False
            begin = stop + 2
            if value.escaped:
                stop = begin
                if _decode(value.text, value.text + value.size + 1, &stop, NULL) == NULL:
                    return False
            else:
                memcpy(begin, value.text, value.size)
                stop = begin + value.size
            size = <uint16_t>(stop - begin)
            memcpy(begin - 2, &size, 2)
        found = self.writers.find(key, stop - key)
        if found < 0:
            if self.writers.used >= MOST_WRITERS:
                return False
            found = <int32_t>self.writers.used
            self.writers.add(key, stop - key, found)
        self.writer = found
        for i in range(WRITER):  # with bytes that are never a blank or a bracket
            self.scratch[i] = <char>(0x80 | (found >> (7 * i)) & 0x7F)
        return True


cdef inline const char *_plain(const char *p, const char *end) noexcept nogil:
    """Up to the first quote, backslash or control character."""
    return find_mark(p, end, 34, 92, 31)


cdef inline bint _is_around(char c) noexcept nogil:
    """What `unpack_json` takes off at both ends of a line."""
    return c == 32 or c == 9 or c == 13 or c == 0 or c == 0x1E


cdef inline const char *_over_blanks(const char *p, const char *end) noexcept nogil:
    while p < end and (p[0] == 32 or p[0] == 9 or p[0] == 13):
        p += 1
    return p


cdef inline const char *_over_colon(const char *p, const char *end) noexcept nogil:
    p = _over_blanks(p, end)
    return _over_blanks(p + 1, end) if p < end and p[0] == 58 else NULL


cdef const char *_over_text(const char *p, const char *end, bint *escaped) noexcept nogil:
    """Behind the quote that ends the text which begins here; NULL if it does not end, or is not as it should be."""
    while True:
        p = _plain(p, end)
        if p >= end:
            return NULL
        if p[0] == 34:
            return p + 1
        if p[0] != 92 or end - p < 2:
            return NULL
        if escaped != NULL:
            escaped[0] = True
        if p[1] == 117:  # u
            if end - p < 6 or _read_hex(p + 2) < 0:
                return NULL
            p += 6
        elif memchr(ESCAPES, p[1], 8) != NULL:
            p += 2
        else:
            return NULL


cdef int32_t _read_hex(const char *p) noexcept nogil:
    """The number of four digits, -1 if they are none."""
    cdef int i
    cdef int32_t value = 0
    cdef char c
    for i in range(4):
        c = p[i]
        value <<= 4
        if 48 <= c <= 57:
            value |= c - 48
        elif 97 <= c <= 102:
            value |= c - 87
        elif 65 <= c <= 70:
            value |= c - 55
        else:
            return -1
    return value


cdef const char *_decode(const char *p, const char *end, char **out, bint *controls) noexcept nogil:
    """Writes what the text means that begins here, and notes whether there are control characters in it; behind the quote that ends it.

    NULL if it does not end, or is not as it should be, or holds half a surrogate pair.
    """
    cdef const char *run
    cdef char *stop = out[0]
    cdef int32_t code, low
    while True:
        run = _plain(p, end)
        memcpy(stop, p, run - p)
        stop += run - p
        p = run
        if p >= end:
            return NULL
        if p[0] == 34:
            out[0] = stop
            return p + 1
        if p[0] != 92 or end - p < 2:
            return NULL
        if p[1] == 117:  # u
            code = _read_hex(p + 2) if end - p >= 6 else -1
            p += 6
            if code < 0 or 0xDC00 <= code < 0xE000:
                return NULL
            if 0xD800 <= code < 0xDC00:
                low = _read_hex(p + 2) if end - p >= 6 and p[0] == 92 and p[1] == 117 else -1
                if not 0xDC00 <= low < 0xE000:
                    return NULL
                code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00
                p += 6
        else:
            run = <const char *>memchr(ESCAPES, p[1], 8)
            if run == NULL:
                return NULL
            code = ESCAPED[run - ESCAPES]
            p += 2
        if code < 32 and controls != NULL:
            controls[0] = True
        stop = _write_utf8(code, stop)


cdef inline char *_write_utf8(int32_t code, char *out) noexcept nogil:
    if code < 0x80:
        out[0] = <char>code
        return out + 1
    if code < 0x800:
        out[0], out[1] = <char>(0xC0 | code >> 6), <char>(0x80 | code & 0x3F)
        return out + 2
    if code < 0x10000:
        out[0], out[1], out[2] = <char>(0xE0 | code >> 12), <char>(0x80 | code >> 6 & 0x3F), <char>(0x80 | code & 0x3F)
        return out + 3
    out[0], out[1], out[2], out[3] = <char>(0xF0 | code >> 18), <char>(0x80 | code >> 12 & 0x3F), <char>(0x80 | code >> 6 & 0x3F), <char>(0x80 | code & 0x3F)
    return out + 4


cdef const char *_read_bytes(const char *p, const char *end, char **out) noexcept nogil:
    """Writes the bytes of an array that begins here, all of them ASCII; behind it, NULL if it is no such array."""
    cdef int value
    while True:
        p = _over_blanks(read_numbers(p, end, out), end)
        if p >= end or not 48 <= p[0] <= 57:
            return NULL
        value = p[0] - 48
        p += 1
        while value and value < 128 and p < end and 48 <= p[0] <= 57:
            value = value * 10 + p[0] - 48
            p += 1
        if value >= 128:
            return NULL
        out[0][0] = <char>value
        out[0] += 1
        p = _over_blanks(p, end)
        if p >= end:
            return NULL
        if p[0] == 93:  # ]
            return p + 1
        if p[0] != 44:
            return NULL
        p += 1


cdef const char *_read_field(const char *p, const char *end, Value *value) noexcept nogil:
    """Notes where the value of a field lies; behind it, NULL if it is neither text nor null."""
    cdef const char *stop
    if end - p >= 4 and memcmp(p, b"null", 4) == 0:
        value.text, value.size = p, 0
        return p + 4
    if p >= end or p[0] != 34:
        return NULL
    stop = _over_text(p + 1, end, &value.escaped)
    if stop != NULL:
        value.text, value.size = p + 1, stop - p - 2
    return stop


cdef const char *_over_value(const char *p, const char *end, int depth) noexcept nogil:
    """Behind the value that begins here, whatever it is; NULL if it is none, or more than ``depth`` arrays and objects deep."""
    cdef char close
    if p >= end:
        return NULL
    if p[0] == 34:
        return _over_text(p + 1, end, NULL)
    if p[0] == 123 or p[0] == 91:
        close = p[0] + 2
        p = _over_blanks(p + 1, end)
        if p < end and p[0] == close:
            return p + 1
        while depth:
            if close == 125:
                if p >= end or p[0] != 34:
                    return NULL
                p = _over_text(p + 1, end, NULL)
                if p != NULL:
                    p = _over_colon(p, end)
                if p == NULL:
                    return NULL
            p = _over_value(p, end, depth - 1)
            if p == NULL:
                return NULL
            p = _over_blanks(p, end)
            if p >= end:
                return NULL
            if p[0] == close:
                return p + 1
            if p[0] != 44:
                return NULL
            p = _over_blanks(p + 1, end)
        return NULL
    if end - p >= 4 and (memcmp(p, b"null", 4) == 0 or memcmp(p, b"true", 4) == 0):
        return p + 4
    if end - p >= 5 and memcmp(p, b"false", 5) == 0:
        return p + 5
    return _over_number(p, end)


cdef const char *_over_digits(const char *p, const char *end) noexcept nogil:
    cdef const char *begin = p
    while p < end and 48 <= p[0] <= 57:
        p += 1
    return p if p > begin else NULL


cdef const char *_over_number(const char *p, const char *end) noexcept nogil:
    """Behind the number that begins here; NULL if it is none, or longer than anyone writes."""
    cdef const char *begin = p
    if p < end and p[0] == 45:
        p += 1
    if p < end and p[0] == 48:
        p += 1
    else:
        p = _over_digits(p, end)
    if p != NULL and p < end and p[0] == 46:
        p = _over_digits(p + 1, end)
    if p != NULL and p < end and (p[0] == 69 or p[0] == 101):
        p += 1
        if p < end and (p[0] == 43 or p[0] == 45):
            p += 1
        p = _over_digits(p, end)
    return p if p != NULL and p - begin <= LONGEST_NUMBER else NULL
