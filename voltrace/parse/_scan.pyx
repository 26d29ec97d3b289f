# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled kernel of `scan`: the lines of a block that look as they should, straight into the columns of events.

What it does is what `SourceScanner._line` and `Records` do, and whatever it declines it hands to them, in its place among the other
lines: lines that nobody has seen the like of, records that go on, warnings and errors, steps of the clock. It keeps no state of its
own that they need, but for what it counts of records, which `settle` adds to the scan.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from cpython cimport array
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memmove, memset

cdef extern from "_bytes.h":
    const char *find_bytes(const char *text, size_t n, const char *what, size_t m) nogil
    uint64_t hash_bytes(const char *key, size_t n, uint64_t seed) nogil
    const char *find_last(const char *text, const char *end, char what) nogil
    int look_over(const char *p, const char *end) nogil
    enum: HIGH, CONTROLS, HASHES
    const char *find_mark(const char *p, const char *end, char one, char other, unsigned char last) nogil

cdef enum:
    STAMPS = 256  # of which the instant is kept
    STAMP_WIDTH = 40
    MOST_CONTEXTS = 8_000
    MOST_SLOTS = 20_000
    MOST_PENDING = 16
    MOST_SAID = 4096
    ENOUGH_TRIED = 1024
    KEPT = 4096
    LONGEST_KEPT = 256

cdef enum:
    SECOND = 1_000_000

cdef int64_t NO_TIME = -(<int64_t>1 << 62)
cdef const char *INTO = b") transitioned into state '"
cdef const char *FROM = b"' from state '"
cdef const char *RESULT = b" with result '"
cdef enum:
    INTO_LEN = 27
    FROM_LEN = 14
    RESULT_LEN = 14


cdef class Table:
    """Pieces of bytes, each with a number: open addressing, the pieces in one arena."""

    def __cinit__(self, uint64_t seed=0):
        self.seed = seed
        self.entries = NULL
        self.arena = NULL
        self.room = 1 << 14
        self.arena = <char *>PyMem_Malloc(self.room)
        self._make(1 << 8)

    def __dealloc__(self):
        PyMem_Free(self.entries)
        PyMem_Free(self.arena)

    cdef int _make(self, size_t size) except -1:
        cdef size_t i
        self.entries = <Entry *>PyMem_Malloc(size * sizeof(Entry))
        if self.entries == NULL or self.arena == NULL:
            raise MemoryError()
        for i in range(size):
            self.entries[i].value = -1
        self.size = size
        return 0

    cdef inline int32_t find(self, const char *key, size_t n) noexcept nogil:
        cdef uint64_t h = hash_bytes(key, n, self.seed)
        cdef size_t i = h & (self.size - 1)
        cdef Entry *e
        while True:
            e = &self.entries[i]
            if e.value < 0:
                return -1
            if e.hash == h and e.length == n and memcmp(self.arena + e.offset, key, n) == 0:
                return e.value
            i = (i + 1) & (self.size - 1)

    cdef int add(self, const char *key, size_t n, int32_t value) except -1:
        cdef uint64_t h
        cdef size_t i
        cdef Entry *old
        cdef size_t size
        if (self.used + 1) * 2 > self.size:
            old, size = self.entries, self.size
            self._make(size * 2)
            for i in range(size):
                if old[i].value >= 0:
                    self._put(old[i])
            PyMem_Free(old)
        if self.filled + n > self.room:
            self.room = (self.room + n) * 2
            self.arena = <char *>PyMem_Realloc(self.arena, self.room)
            if self.arena == NULL:
                raise MemoryError()
        memcpy(self.arena + self.filled, key, n)
        h = hash_bytes(key, n, self.seed)
        cdef Entry e
        e.hash, e.offset, e.length, e.value = h, self.filled, <uint32_t>n, value
        self.filled += n
        self.used += 1
        self._put(e)
        return 0

    cdef void _put(self, Entry e) noexcept nogil:
        cdef size_t i = e.hash & (self.size - 1)
        while self.entries[i].value >= 0:
            i = (i + 1) & (self.size - 1)
        self.entries[i] = e

    cdef void clear(self) noexcept nogil:
        cdef size_t i
        for i in range(self.size):
            self.entries[i].value = -1
        self.used = self.filled = 0


cdef list _latest_values = [None] * KEPT


cdef object _kept_once(const char *text, size_t n):
    """The text as bytes, the same object if the like was asked for lately: a request's lines say its ids and sizes again and again."""
    cdef uint64_t at
    cdef object value
    if n > LONGEST_KEPT:
        return PyBytes_FromStringAndSize(text, n)
    at = hash_bytes(text, n, 0) & (KEPT - 1)
    value = _latest_values[at]
    if value is None or <size_t>PyBytes_GET_SIZE(value) != n or memcmp(PyBytes_AS_STRING(value), text, n) != 0:
        value = PyBytes_FromStringAndSize(text, n)
        _latest_values[at] = value
    return value


cdef class RowMatcher:
    """A row of the catalogue: its literals in C, and which of its fields are facts; how many messages were looked for among others, and found. Matches what `Row.match` matches below WARNING."""

    def __cinit__(self, row):
        cdef int i
        self.literals = tuple(row.literals)
        self.count = len(self.literals)
        self.texts = <const char **>PyMem_Malloc(self.count * sizeof(char *))
        self.sizes = <size_t *>PyMem_Malloc(self.count * sizeof(size_t))
        if self.texts == NULL or self.sizes == NULL:
            raise MemoryError()
        for i in range(self.count):
            self.texts[i] = PyBytes_AS_STRING(self.literals[i])
            self.sizes[i] = PyBytes_GET_SIZE(self.literals[i])
        self.kept = tuple(name in row.facts for name in row.fields)
        self.says = bool(row.facts) or row.traceback
        self.declines = row.traceback

    def __dealloc__(self):
        PyMem_Free(self.texts)
        PyMem_Free(self.sizes)

    cdef bint match(self, const char *text, size_t n, const char **starts, size_t *lengths) noexcept nogil:
        """Whether the message is of this row, and where the values of its fields lie."""
        cdef int i, last = self.count - 1
        cdef size_t at = self.sizes[0]
        cdef const char *found
        if n < at or memcmp(text, self.texts[0], at) != 0:
            return False
        if last == 0:
            return n == at
        for i in range(1, last):
            found = find_bytes(text + at, n - at, self.texts[i], self.sizes[i])
            if found == NULL:
                return False
            starts[i - 1], lengths[i - 1] = text + at, found - (text + at)
            at = (found - text) + self.sizes[i]
        if n < at + self.sizes[last] or memcmp(text + n - self.sizes[last], self.texts[last], self.sizes[last]) != 0:
            return False
        starts[last - 1], lengths[last - 1] = text + at, n - self.sizes[last] - at
        return True

    cdef bint recurs(self) noexcept:
        """Whether what is told in this row's words is told often enough to be kept once."""
        return self.tried < ENOUGH_TRIED or self.recurred * 4 > self.tried

    cdef tuple values(self, const char **starts, size_t *lengths):
        """The values of the row's fields; those that are no facts are left empty."""
        cdef int i
        cdef tuple found = PyTuple_New(self.count - 1)
        cdef object value
        for i in range(self.count - 1):
            value = _kept_once(starts[i], lengths[i]) if self.kept[i] else b""
            Py_INCREF(value)
            PyTuple_SET_ITEM(found, i, value)
        return found


cdef class Left:
    """What stands between the stamp and the bracket: who writes, at which level, by which logger."""

    def __dealloc__(self):
        PyMem_Free(self.kinds)
        PyMem_Free(self.keeps)


cdef class Workers:
    """Which requests each worker of the API was last at work on, the latest last: `Pending` in C."""

    def __cinit__(self):
        self.table = Table()
        self.room = 16
        self.requests = <int32_t *>PyMem_Malloc(self.room * MOST_PENDING * sizeof(int32_t))
        self.counts = <int32_t *>PyMem_Malloc(self.room * sizeof(int32_t))
        if self.requests == NULL or self.counts == NULL:
            raise MemoryError()

    def __dealloc__(self):
        PyMem_Free(self.requests)
        PyMem_Free(self.counts)

    cpdef push(self, int64_t pid, int32_t request):
        """This worker writes for this request."""
        cdef int32_t i, n, w = self.table.find(<char *>&pid, 8)
        cdef int32_t *own
        if w < 0:
            w = self.size
            if w == self.room:
                self.room *= 2
                self.requests = <int32_t *>PyMem_Realloc(self.requests, self.room * MOST_PENDING * sizeof(int32_t))
                self.counts = <int32_t *>PyMem_Realloc(self.counts, self.room * sizeof(int32_t))
                if self.requests == NULL or self.counts == NULL:
                    raise MemoryError()
            self.size += 1
            self.table.add(<char *>&pid, 8, w)
            self.counts[w] = 0
        own, n = self.requests + w * MOST_PENDING, self.counts[w]
        for i in range(n):
            if own[i] == request:
                break
        else:
            i = n
        if i == n and n == MOST_PENDING:
            i = 0
        elif i == n:
            n += 1
            self.counts[w] = n
        while i < n - 1:
            own[i] = own[i + 1]
            i += 1
        own[n - 1] = request

    def all(self):
        """The same of all workers; nothing is forgotten."""
        cdef int32_t w, i
        cdef size_t e
        cdef int64_t pid
        found = {}
        for e in range(self.table.size):
            w = self.table.entries[e].value
            if w >= 0 and self.counts[w]:
                memcpy(&pid, self.table.arena + self.table.entries[e].offset, 8)
                found[pid] = tuple([self.requests[w * MOST_PENDING + i] for i in range(self.counts[w])])
        return found

    cdef int32_t *take(self, int64_t pid, int32_t *count) noexcept:
        """The requests that this worker was at work on, and how many; they are forgotten."""
        cdef int32_t w = self.table.find(<char *>&pid, 8)
        if w < 0:
            count[0] = 0
            return self.requests
        count[0], self.counts[w] = self.counts[w], 0
        return self.requests + w * MOST_PENDING

    def pop(self, int64_t pid):
        """The requests that this worker was at work on; they are forgotten."""
        cdef int32_t i, count
        cdef int32_t *own = self.take(pid, &count)
        return tuple([own[i] for i in range(count)])


cdef class Kernel:
    """Reads records of one source from their headers on. What a line is before that, a child class knows.

    ``key`` is what a record's sender is known by, up to ``text``, in one piece with it.
    """


    def __cinit__(self, scanner, workers):
        from .clock import GAP_US, STEP_US

        global STEP, GAP
        STEP, GAP = STEP_US, GAP_US
        self.scanner, self.scan = scanner, scanner.scan
        self.slow = scanner._line
        self.events, self.kept = scanner.scan.events, scanner.scan.kept
        self.source = scanner._source
        self.oslo = scanner._layout == "oslo"
        self.workers = workers
        seed = scanner.scan.seed
        self.lefts, self.contexts, self.kinds, self.slots, self.senders = Table(seed), Table(seed), Table(seed), Table(seed), Table(seed)
        self.requests, self.said, self.calls = Table(seed), Table(seed), Table(seed)
        self.names = scanner.scan.wanted is None
        self.left_list, self.kind_list, self.sender_list = [], [], []
        self.context_room = self.slot_room = 1 << 10
        self.context_request = <int32_t *>PyMem_Malloc(self.context_room * sizeof(int32_t))
        self.context_flags = <uint8_t *>PyMem_Malloc(self.context_room)
        self.context_offset = <uint64_t *>PyMem_Malloc(self.context_room * 8)
        self.context_length = <size_t *>PyMem_Malloc(self.context_room * sizeof(size_t))
        self.slot = <Slot *>PyMem_Malloc(self.slot_room * sizeof(Slot))
        self.scratch_room = 1 << 12
        self.scratch = <char *>PyMem_Malloc(self.scratch_room)
        if self.context_request == NULL or self.context_flags == NULL or self.context_offset == NULL or self.context_length == NULL:
            raise MemoryError()
        if self.slot == NULL or self.scratch == NULL:
            raise MemoryError()
        self.pended_request = -1

    def __dealloc__(self):
        PyMem_Free(self.context_request)
        PyMem_Free(self.context_flags)
        PyMem_Free(self.context_offset)
        PyMem_Free(self.context_length)
        PyMem_Free(self.recent)
        PyMem_Free(self.slot)
        PyMem_Free(self.scratch)

    # -- what the careful way learns -----------------------------------------------------------------------------------

    def learn(self, bytes key, int bracket, header, bint from_api, bint is_api):
        """A header that the careful way took apart: ``key`` is what stands between stamp and bracket's end, the bracket's inside begins at ``bracket``."""
        cdef const char *text = PyBytes_AS_STRING(key)
        cdef size_t n = PyBytes_GET_SIZE(key)
        cdef const char *found = find_bytes(text, n, b" [", 2)
        if found == NULL or found - text + 2 != bracket:
            return
        cdef int32_t at = self.lefts.find(text, bracket)
        cdef Left left
        cdef Py_ssize_t i
        if at < 0:
            at = len(self.left_list)
            left = Left.__new__(Left)
            left.header, left.process, left.origin = header, header.process, header.origin
            left.debug, left.from_api, left.is_api = header.debug, from_api, is_api
            left.quick = header.level == "DEBUG" or header.level == "INFO"
            pid = self.scan.processes[header.process].pid
            left.pid = -1 if pid is None else pid
            left.matchers = [_matcher(row) for row in header.rows]
            left.kinds = <int32_t *>PyMem_Malloc((len(header.rows) + 1) * sizeof(int32_t))
            left.keeps = <uint8_t *>PyMem_Malloc(len(header.rows) + 1)
            if left.kinds == NULL or left.keeps == NULL:
                raise MemoryError()
            for i in range(len(header.rows)):
                left.kinds[i], left.keeps[i] = self.scanner.kind_of_row(header.rows[i], header.level), self.scan.wants(header.rows[i].facts)
            left.used, left.last_request, left.last_slot = False, -2, -1
            self.left_list.append(left)
            self.lefts.add(text, bracket, at)
        left = self.left_list[at]
        self._add_context(left, text + bracket, n - bracket, header.request)

    def learn_sender(self, bytes key, process, bint quick):
        """What stands between the stamp and the text of lines of this process that have no level, logger and bracket."""
        cdef Left left
        if self.senders.find(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)) < 0:
            self.senders.add(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), len(self.sender_list))
            left = Left.__new__(Left)
            left.process, left.quick, left.used = process, quick, False
            self.sender_list.append(left)

    cdef int32_t _add_context(self, Left left, const char *text, size_t n, int32_t request) except -1:
        cdef int32_t context = self.contexts.find(text, n)
        if context < 0:
            if self.context_count >= MOST_CONTEXTS:
                self.contexts.clear()
                self.context_count = 0
            context = self.context_count
            if context == self.context_room:
                self.context_room *= 2
                self.context_request = <int32_t *>PyMem_Realloc(self.context_request, self.context_room * sizeof(int32_t))
                self.context_flags = <uint8_t *>PyMem_Realloc(self.context_flags, self.context_room)
                self.context_offset = <uint64_t *>PyMem_Realloc(self.context_offset, self.context_room * 8)
                self.context_length = <size_t *>PyMem_Realloc(self.context_length, self.context_room * sizeof(size_t))
                if self.context_request == NULL or self.context_flags == NULL or self.context_offset == NULL or self.context_length == NULL:
                    raise MemoryError()
            self.context_count += 1
            self.context_flags[context] = 0
            self.context_request[context] = request
            self.context_offset[context], self.context_length[context] = self.contexts.filled, n
            self.contexts.add(text, n, context)
        self.context_flags[context] |= 1 if left.from_api else 2
        return context

    def learn_transition(self, bytes what, bytes name, bytes new, bytes old, int kind, tuple finders):
        """A DEBUG transition: ``finders`` find the facts of its result, if it may carry any."""
        key = b"\0".join((what, name, new, old))
        if self.kinds.find(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)) < 0:
            self.kinds.add(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), len(self.kind_list))
            self.kind_list.append((kind, finders))

    def settle(self):
        """Adds what was counted of records to the scan, and forgets it."""
        cdef Left left
        cdef int32_t i
        seen = self.scan.seen
        for left in self.left_list + self.sender_list:
            if left.used:
                self.scanner.widen(left.process, left.first, left.last, left.debug)
            left.used, left.last_request, left.last_slot = False, -2, -1
        cdef int64_t *wide = <int64_t *>PyMem_Malloc((self.slot_count + 1) * 8)
        cdef int32_t *narrow = <int32_t *>wide
        if wide == NULL:
            raise MemoryError()
        cdef int n = self.slot_count
        for i in range(n):
            narrow[i] = self.slot[i].request
        array.extend_buffer(seen.request, <char *>narrow, n)
        for i in range(n):
            narrow[i] = self.slot[i].origin
        array.extend_buffer(seen.origin, <char *>narrow, n)
        for i in range(n):
            wide[i] = self.slot[i].first
        array.extend_buffer(seen.first, <char *>wide, n)
        for i in range(n):
            wide[i] = self.slot[i].last
        array.extend_buffer(seen.last, <char *>wide, n)
        for i in range(n):
            wide[i] = self.slot[i].begun_line
        array.extend_buffer(seen.begun_line, <char *>wide, n)
        for i in range(n):
            wide[i] = self.slot[i].begun_at
        array.extend_buffer(seen.begun_at, <char *>wide, n)
        for i in range(n):
            wide[i] = self.slot[i].ended_line
        array.extend_buffer(seen.ended_line, <char *>wide, n)
        for i in range(n):
            wide[i] = self.slot[i].ended_at
        array.extend_buffer(seen.ended_at, <char *>wide, n)
        PyMem_Free(wide)
        self.slot_count = 0
        self.slots.clear()

    # -- a block -------------------------------------------------------------------------------------------------------

    def feed(self, bytes data, int64_t number, int64_t offset):
        """The lines of a block, each of which ends in it; the number of the line behind them."""
        cdef const char *start = PyBytes_AS_STRING(data)
        cdef const char *end = start + PyBytes_GET_SIZE(data)
        cdef const char *line = start
        cdef const char *stop
        cdef const char *text
        cdef size_t n
        self.taken = 0
        self.latest, self.busy = self.scanner._latest, self.scanner._busy
        if self.let_go != self.scan.let_go:
            self.let_go = self.scan.let_go
            self.said.clear()
        self._open_block(data)
        while True:
            stop = <const char *>memchr(line, 10, end - line)
            if stop == NULL:
                stop = end
            text, n = line, stop - line
            self._bare(&text, &n)
            if n:
                if self._take(text, n, number, offset + (line - start), stop - line) == TAKEN:
                    self.taken += 1
                else:
                    self._decline(text, n, number, offset + (line - start), stop - line)
            number += 1
            if stop == end:
                break
            line = stop + 1
        self._flush()
        self._sync()
        if self.slot_count > MOST_SLOTS:
            self.settle()
        return number

    cdef int _open_block(self, bytes data) except -1:
        """A block begins."""
        return 0

    cdef int _bare(self, const char **line, size_t *n) except -1:
        """Let the line be what the careful way is to get of it."""
        return 0

    cdef int _take(self, const char *line, size_t n, int64_t number, int64_t offset, int64_t length) except -1:
        """Read a line that looks as it should: `TAKEN`, or `DECLINED` if it is for the careful way."""
        return DECLINED

    cdef int64_t _instant(self, const char *key) except? -1:
        """The instant of the record, NO_TIME if its stamp is none."""
        return NO_TIME

    cdef int _resume(self) except -1:
        """The careful way has read a line."""
        return 0

    cdef int _make_room(self, size_t n) except -1:
        """Let so many bytes fit into the scratch."""
        if n > self.scratch_room:
            self.scratch_room = n * 2
            PyMem_Free(self.scratch)
            self.scratch = <char *>PyMem_Malloc(self.scratch_room)
            if self.scratch == NULL:
                raise MemoryError()
        return 0

    cdef int _sync(self) except -1:
        """Tell the careful way which record was the last one, and that it was whole."""
        if self.last_left is not None:
            self.scanner._pended = None if self.pended_request < 0 else (self.pended_process, bool(self.pended_debug), self.pended_request)
            self.scanner._last = self.last_left.header
            self.scanner._unfinished = False
            self.last_left = None
        return 0

    cdef int _decline(self, const char *text, size_t n, int64_t number, int64_t offset, int64_t length) except -1:
        self._flush()
        self._sync()
        self.slow(PyBytes_FromStringAndSize(text, n), number, offset, length)
        pended = self.scanner._pended
        if pended is None:
            self.pended_request = -1
        else:
            self.pended_process, self.pended_debug, self.pended_request = pended
        self.latest, self.busy = self.scanner._latest, self.scanner._busy
        self._resume()
        return 0

    # -- a record ------------------------------------------------------------------------------------------------------

    cdef int _record(self, const char *key, const char *text, const char *end, int64_t number, int64_t offset, int64_t length) except -1:
        """Read a record; `HEADLESS` if it has no level, logger and bracket that are known."""
        cdef const char *p = text
        cdef const char *bracket
        cdef const char *close
        cdef int32_t at_left, context, request
        cdef Left left
        cdef int64_t at, latest
        while True:
            p = <const char *>memchr(p, 91, end - p)  # [
            if p == NULL:
                return HEADLESS
            if p > key and p[-1] == 32:
                break
            p += 1
        bracket = p + 1
        at_left = self.lefts.find(key, bracket - key)
        if at_left < 0:
            return HEADLESS
        left = <Left>self.left_list[at_left]
        if not left.quick or PyByteArray_AS_STRING(self.busy)[left.process]:
            return DECLINED
        close = bracket
        while True:
            close = <const char *>memchr(close, 93, end - close)  # ]
            if close == NULL or close + 1 >= end:
                return DECLINED
            if close[1] == 32:
                break
            close += 1
        if _may_be_glued(close + 1, end):
            return DECLINED
        at = self._instant(key)  # before the request is known: a line without a stamp tells of none
        if at == NO_TIME:
            return DECLINED
        context = self._find_context(left.process, bracket, close - bracket)
        if context < 0 or not self.context_flags[context] & (1 if left.from_api else 2):
            if close - bracket > 400 or memchr(bracket, 93, close - bracket) != NULL:
                return DECLINED
            context = self._add_context(left, bracket, close - bracket, self._read_context(left, bracket, close))
        latest = self.latest.data.as_longlongs[left.process]
        if latest == NO_TIME or at < latest - STEP or at > latest + GAP:
            return DECLINED
        request = self.context_request[context]
        if request < 0 and left.debug:
            self._count(left, request, at, number, latest)
            return TAKEN
        if not self._message(left, request, close + 2, end, at, number):
            return DECLINED
        self._count(left, request, at, number, latest)
        if request >= 0:
            if left.is_api and (request != self.pended_request or left.process != self.pended_process or left.debug != self.pended_debug):
                self._pend(left, request, key, end)
                self.pended_request, self.pended_process, self.pended_debug = request, left.process, left.debug
            if self.kept is not None:
                self.kept.append(request, self.source, number, offset, length)
        return TAKEN

    cdef int32_t _find_context(self, int32_t process, const char *text, size_t n) except? -2:
        """The number of this bracket, -1 if it is not known: mostly it is that of the line before of the same process."""
        cdef int32_t context
        if process >= self.recent_room:
            self._make_recent(process)
        context = self.recent[process]
        if context < self.context_count and self.context_length[context] == n and memcmp(self.contexts.arena + self.context_offset[context], text, n) == 0:
            return context
        context = self.contexts.find(text, n)
        if context >= 0:
            self.recent[process] = context
        return context

    cdef int _make_recent(self, int32_t process) except -1:
        cdef int32_t room = process * 2 + 64
        self.recent = <int32_t *>PyMem_Realloc(self.recent, room * sizeof(int32_t))
        if self.recent == NULL:
            raise MemoryError()
        memset(self.recent + self.recent_room, 0, (room - self.recent_room) * sizeof(int32_t))
        self.recent_room = room
        return 0

    cdef int32_t _read_context(self, Left left, const char *text, const char *end) except? -2:
        """The request that a bracket names: what most of them look like (`formats.read_context`) is read here, the others by the careful way."""
        cdef const char *project
        cdef const char *user
        cdef int32_t request
        if self.oslo or end - text < 45 or memcmp(text, b"None req-", 9) != 0 or text[45] != 32:
            return self.scanner.learn_context(left.header, PyBytes_FromStringAndSize(text, end - text))
        project = text + 46
        user = <const char *>memchr(project, 32, end - project)
        if user == NULL or user + 1 >= end or not _begins_word(project[0]) or not _begins_word(user[1]) or memchr(user + 1, 32, end - user - 1) != NULL:
            return self.scanner.learn_context(left.header, PyBytes_FromStringAndSize(text, end - text))
        for p in text[9:45]:
            if not (_fits(WORD, p) or p == 45) or p == 95:
                return self.scanner.learn_context(left.header, PyBytes_FromStringAndSize(text, end - text))
        request = self.requests.find(text + 5, 40)
        if request < 0:
            request = self.scan.request(text[5:45].decode("ascii"))
            if self.requests.used >= MOST_CONTEXTS:
                self.requests.clear()
            self.requests.add(text + 5, 40, request)
        if self.names:
            self.scan.learn_context(request, None, _name(project, user - project), _name(user + 1, end - user - 1), left.from_api)
        return request

    cdef int _headless(self, const char *key, const char *body, const char *end, int64_t number) except -1:
        """A line of a known process without level, logger and bracket, while no record of it is open: an access line, or one that says nothing."""
        cdef int32_t i
        cdef int64_t at
        cdef Left left
        if body >= end or memchr(b"DIWECTA", body[0], 7) != NULL:
            return DECLINED
        i = self.senders.find(key, body - key)
        if i < 0:
            return DECLINED
        left = <Left>self.sender_list[i]
        if not left.quick or PyByteArray_AS_STRING(self.busy)[left.process]:
            return DECLINED
        if _may_be_glued(body, end):
            return DECLINED
        at = self._instant(key)
        if at == NO_TIME:
            return DECLINED
        if end - body > 6 and memcmp(body, b"[pid: ", 6) == 0 and self._take_access(body, end):
            self.pended_request = -1
        if not left.used:
            left.used, left.first, left.last = True, at, at
        elif at > left.last:
            left.last = at
        elif at < left.first:
            left.first = at
        return TAKEN

    cdef bint _take_access(self, const char *text, const char *end) except -1:
        """The web server's line, as `framing.ACCESS` has it; False if this is none."""
        cdef const char *p = text + 6
        cdef const char *method
        cdef const char *path
        cdef const char *stop
        cdef const char *where
        cdef const char *behind
        cdef int64_t pid = 0
        cdef int64_t status = 0
        cdef int64_t lasted = 0
        cdef int i
        while p < end and p - text < 16 and 48 <= p[0] <= 57:
            pid = pid * 10 + p[0] - 48
            p += 1
        if p == text + 6:
            return False
        p = _past(p, end, b"|app: ", 6)
        p = _over(p, end, b"|", 1, 0, 100)
        p = _past(p, end, b"|req: ", 6)
        p = _over(p, end, b"]", 1, 0, 100)
        p = _past(p, end, b"] ", 2)
        p = _over(p, end, b"({", 2, 0, 300)
        p = _past(p, end, b"(", 1)
        p = _over(p, end, b")", 1, 0, 300)
        p = _past(p, end, b") {", 3)
        p = _over(p, end, b"}", 1, 0, 100)
        p = _past(p, end, b"} [", 3)
        p = _over(p, end, b"]", 1, 1, 100)
        method = _past(p, end, b"] ", 2)
        stop = _token(method, end)
        path = _past(stop, end, b" ", 1)
        p = _token(path, end)
        if p == NULL:
            return False
        behind = stop
        where = p
        p = _past(p, end, b" => generated ", 14)
        p = _past(_digits(p, end, 1 << 30), end, b" bytes in ", 10)
        stop = p
        p = _past(_digits(p, end, 18), end, b" msecs (HTTP/", 13)
        if p == NULL:
            return False
        while stop[0] != 32:
            lasted = lasted * 10 + stop[0] - 48
            stop += 1
        stop = p
        while stop < end and (48 <= stop[0] <= 57 or stop[0] == 46):
            stop += 1
        if stop == p:
            return False
        p = _past(stop, end, b" ", 1)
        if p == NULL or end - p < 4 or p[3] != 41:
            return False
        for i in range(3):
            if not 48 <= p[i] <= 57:
                return False
            status = status * 10 + p[i] - 48
        self._add_access(pid, method, behind - method, path, where - path, status, lasted)
        return True

    cdef int _add_access(self, int64_t pid, const char *method, Py_ssize_t n, const char *path, Py_ssize_t m, int32_t status, int64_t lasted) except -1:
        """What `Records.add_access` does."""
        cdef int32_t call = self.calls.find(method, path + m - method)  # the text from the one to the other's end
        cdef int32_t count
        cdef int64_t end
        cdef int32_t *own = self.workers.take(pid, &count)
        if call < 0:
            call = self.scanner.call_of(method[:n], path[:m])
            if self.calls.used >= MOST_SAID:
                self.calls.clear()
            self.calls.add(method, path + m - method, call)
        accesses = self.scan.accesses
        array.extend_buffer(accesses.pending, <char *>own, count)
        end = len(accesses.pending)
        array.extend_buffer(accesses.pid, <char *>&pid, 1)
        array.extend_buffer(accesses.call, <char *>&call, 1)
        array.extend_buffer(accesses.status, <char *>&status, 1)
        array.extend_buffer(accesses.lasted_ms, <char *>&lasted, 1)
        array.extend_buffer(accesses.end, <char *>&end, 1)
        return 0

    cdef int _count(self, Left left, int32_t request, int64_t at, int64_t number, int64_t latest) except -1:
        """What every record tells, whatever its message: that this process lived then, and was at work on this request."""
        cdef Slot *s
        cdef int32_t i
        cdef int32_t key[2]
        self.last_left = left
        self.latest.data.as_longlongs[left.process] = at
        if not left.used:
            left.used, left.first, left.last = True, at, at
        elif at > left.last:
            left.last = at
        elif at < left.first:
            left.first = at
        if request < 0:
            return 0
        if left.last_request != request:
            key[0], key[1] = request, left.origin
            i = self.slots.find(<char *>key, 8)
            if i < 0:
                if self.slot_count == self.slot_room:
                    self.slot_room *= 2
                    self.slot = <Slot *>PyMem_Realloc(self.slot, self.slot_room * sizeof(Slot))
                    if self.slot == NULL:
                        raise MemoryError()
                i = self.slot_count
                self.slot_count += 1
                self.slots.add(<char *>key, 8, i)
                s = &self.slot[i]
                s.request, s.origin = request, left.origin
                s.first = s.last = s.begun_at = s.ended_at = at
                s.begun_line = s.ended_line = number
            left.last_request, left.last_slot = request, i
        s = &self.slot[left.last_slot]
        if at < s.first:
            s.first = at
        if at > s.last:
            s.last = at
        s.ended_line, s.ended_at = number, at
        return 0

    cdef int _pend(self, Left left, int32_t request, const char *line, const char *end) except -1:
        cdef int64_t worker = -1
        if left.debug and not self.oslo:
            worker = _worker(line, end)
        if left.pid >= 0:
            self.workers.push(left.pid, request)
        if worker >= 0 and worker != left.pid:
            self.workers.push(worker, request)
        return 0

    cdef bint _message(self, Left left, int32_t request, const char *text, const char *end, int64_t at, int64_t number) except -1:
        """Find out what a record says, and add it to the events if it says something."""
        cdef const char *starts[32]
        cdef size_t lengths[32]
        cdef const char *stop = end
        cdef const char *cut
        cdef RowMatcher matcher
        cdef Py_ssize_t i
        if end - text > 6 and (memcmp(text, b"Task '", 6) == 0 or memcmp(text, b"Flow '", 6) == 0):
            return left.debug and self._transition(left, request, text, end, at, number)
        if left.debug:
            if self.oslo:
                stop = _oslo_suffix(text, end)
            else:
                stop = _devstack_suffix(text, end)
            if stop == NULL:
                return False
        for i in range(PyList_GET_SIZE(left.matchers)):
            matcher = <RowMatcher>left.matchers[i]
            if matcher.count <= 32 and matcher.match(text, stop - text, starts, lengths):
                if matcher.says:
                    if matcher.declines:
                        return False
                    if left.keeps[i] and (not self.names or matcher.recurs()):
                        self._add_often(request, left.kinds[i], left.origin, at, number, matcher, text, stop - text, starts, lengths)
                    else:
                        self._add(request, left.kinds[i], left.origin, at, number, NULL, matcher.values(starts, lengths) if left.keeps[i] else None)
                return True
        return request < 0

    cdef bint _transition(self, Left left, int32_t request, const char *text, const char *end, int64_t at, int64_t number) except -1:
        cdef const char *name = text + 6
        cdef const char *quote = find_bytes(name, end - name, b"' (", 3)
        cdef const char *state
        cdef const char *from_
        cdef const char *old
        cdef const char *stop
        cdef char key[512]
        cdef size_t n
        cdef int32_t k
        if quote == NULL or end - quote < 39 + INTO_LEN or memcmp(quote + 39, INTO, INTO_LEN) != 0:
            return False
        state = quote + 39 + INTO_LEN
        from_ = find_bytes(state, end - state, FROM, FROM_LEN)
        if from_ == NULL or from_ - state > 20:
            return False
        old = from_ + FROM_LEN
        stop = <const char *>memchr(old, 39, end - old)
        if stop == NULL or stop - old > 20 or quote - name > 400:
            return False
        memcpy(key, text, 4)
        key[4] = 0
        n = 5
        memcpy(key + n, name, quote - name)
        n += quote - name
        key[n] = 0
        n += 1
        memcpy(key + n, state, from_ - state)
        n += from_ - state
        key[n] = 0
        n += 1
        memcpy(key + n, old, stop - old)
        n += stop - old
        k = self.kinds.find(key, n)
        if k < 0:
            return False
        kind, finders = self.kind_list[k]
        facts = None
        if self.oslo:
            if finders:
                end = _oslo_suffix(text, end)
                if end == NULL:
                    return False
        elif not _ends_whole(end, text):
            return False
        if finders and end - stop > RESULT_LEN and memcmp(stop + 1, RESULT, RESULT_LEN) == 0:
            facts = self._find_results(stop + 1 + RESULT_LEN, end, finders)
        self._add(request, kind, left.origin, at, number, quote + 3, facts)
        return True

    cdef tuple _find_results(self, const char *text, const char *end, tuple finders):
        """The values of a result's facts: by `Finder` where the pattern is simple, else by the pattern itself."""
        cdef const char *stop = end
        cdef const char *p = end - 4
        cdef Py_ssize_t i
        while p >= text:  # rfind of "' {{"
            if p[0] == 39 and memcmp(p, b"' {{", 4) == 0:
                stop = p
                break
            p -= 1
        if p < text:
            while stop > text and stop[-1] == 39:
                stop -= 1
        cdef tuple found = PyTuple_New(len(finders))
        for i in range(len(finders)):
            finder = finders[i]
            if type(finder) is Finder:
                value = (<Finder>finder).search(text, stop)
            else:  # (the pattern, what it begins with)
                pattern, prefix = finder
                p = find_bytes(text, stop - text, PyBytes_AS_STRING(prefix), PyBytes_GET_SIZE(prefix))
                match = None if p == NULL else pattern.search(PyBytes_FromStringAndSize(p, stop - p))
                value = match and match[1]
            Py_INCREF(value)
            PyTuple_SET_ITEM(found, i, value)
        return found

    cdef int _add(self, int32_t request, int32_t kind, int32_t origin, int64_t at, int64_t number, const char *uuid, facts) except -1:
        cdef int i = self.waiting
        self.w_request[i], self.w_kind[i], self.w_origin[i] = request, kind, origin
        self.w_line[i], self.w_at[i] = number, at
        if uuid == NULL:
            memset(self.w_uuid[i], 0, 36)
        else:
            memcpy(self.w_uuid[i], uuid, 36)
        if facts is None:
            self.w_fact[i] = -1
        else:
            self.w_fact[i] = <int32_t>PyList_GET_SIZE(self.events.facts)
            (<list>self.events.facts).append(facts)
        self.waiting = i + 1
        if self.waiting == BATCH:
            self._flush()
        return 0

    cdef int _add_often(
        self, int32_t request, int32_t kind, int32_t origin, int64_t at, int64_t number, RowMatcher matcher,
        const char *text, size_t n, const char **starts, size_t *lengths,
    ) except -1:
        """An event of which the facts are those of others that said the same: they are kept once."""
        cdef char key[1024]
        cdef int32_t fact = -1
        cdef int i = self.waiting
        if n <= 1000:
            memcpy(key, &kind, 4)
            memcpy(key + 4, text, n)
            fact = self.said.find(key, n + 4)
        matcher.tried += 1
        if fact < 0:
            self._add(request, kind, origin, at, number, NULL, matcher.values(starts, lengths))
            if n <= 1000:
                if self.said.used >= MOST_SAID:
                    self.said.clear()
                self.said.add(key, n + 4, <int32_t>PyList_GET_SIZE(self.events.facts) - 1)
            return 0
        matcher.recurred += 1
        self._add(request, kind, origin, at, number, NULL, None)
        if self.waiting:
            self.w_fact[i] = fact
        else:  # it was the last of a batch
            self.events.fact[-1] = fact
        return 0

    cdef int _flush(self) except -1:
        cdef int n = self.waiting
        if n:
            events = self.events
            array.extend_buffer(events.request, <char *>self.w_request, n)
            array.extend_buffer(events.kind, <char *>self.w_kind, n)
            array.extend_buffer(events.origin, <char *>self.w_origin, n)
            array.extend_buffer(events.fact, <char *>self.w_fact, n)
            array.extend_buffer(events.line, <char *>self.w_line, n)
            array.extend_buffer(events.at, <char *>self.w_at, n)
            array.extend_buffer(events.uuid, <char *>self.w_uuid, n * 36)
            self.waiting = 0
        return 0


cdef class LineKernel(Kernel):
    """Reads the lines of one source for its `SourceScanner`."""

    cdef object clock
    cdef bint dirty, joined, has_year
    cdef int deaf, deaf_to_all  # `SourceScanner.deaf`, until another line is read or a block begins; and its `DEAF`
    cdef int width, fraction, digits, scale
    # Instants of stamps as they are without the digits of their seconds and fractions: of whole minutes, if one sees where seconds stand.
    cdef char stamp_text[STAMPS][STAMP_WIDTH]
    cdef int64_t stamp_at[STAMPS]
    cdef uint32_t last_stamp
    cdef char month[3]

    def __cinit__(self, scanner, workers):
        from .continued import DEAF, LEAST_PREFIX as least

        global LEAST_PREFIX
        LEAST_PREFIX = least
        fmt = scanner._format
        self.deaf_to_all = DEAF
        self.has_year = fmt.has_year
        self.digits, self.scale = {1: (6, 1), 1000: (3, 1000)}.get(fmt.resolution_us, (0, 0))
        self._forget_stamps()

    cdef int _open_block(self, bytes data) except -1:
        """Finds out, in one look at all of it, whether there is anything in the block that `scan.clean` takes out, or that may be no UTF-8."""
        cdef const char *text = PyBytes_AS_STRING(data)
        cdef size_t n = PyBytes_GET_SIZE(data)
        cdef int found = look_over(text, text + n)
        cdef int written = find_written(text, n) if found & HASHES else 0
        self.joined = written & JOINED
        self.dirty = (
            found & CONTROLS
            or written & ESCAPED
            or found & HIGH and find_bytes(text, n, b"\xef\xbb\xbf", 3) != NULL
        )
        if found & HIGH:
            self.scanner.check_text(data)
        self.deaf = 0
        return self._check_clock()

    cdef int _bare(self, const char **line, size_t *n) except -1:
        """Without colour escapes, NULs, a byte-order mark at its beginning and a carriage return, as `clean` gives it."""
        if not self.dirty:
            return 0
        if has_escapes(line[0], n[0]):
            self._make_room(n[0])
            n[0] = drop_escapes(line[0], n[0], self.scratch)
            line[0] = self.scratch
        if n[0] >= 3 and memcmp(line[0], b"\xef\xbb\xbf", 3) == 0:
            line[0] += 3
            n[0] -= 3
        if n[0] and line[0][n[0] - 1] == 13:
            n[0] -= 1
        return 0

    cdef int _take(self, const char *line, size_t n, int64_t number, int64_t offset, int64_t length) except -1:
        cdef const char *key = line + self.width
        cdef const char *body
        cdef int found
        if self.deaf:
            if line[0] == 32 or line[0] == 9 or (self.deaf == self.deaf_to_all and _has_no_prefix(line, n)):
                return TAKEN
            self.deaf = 0
        if not self.width or n < <size_t>self.width + 4 or (self.joined and find_bytes(line, n, b"#012", 4) != NULL):
            return DECLINED
        found = self._record(key, key, line + n, number, offset, length)
        if found != HEADLESS:
            return found
        body = find_bytes(key, line + n - key, b": ", 2)
        return DECLINED if body == NULL else self._headless(key, body + 2, line + n, number)

    cdef int _resume(self) except -1:
        if self.width != self.scanner._width:
            self._set_width(self.scanner._width)
        self.deaf = self.scanner.deaf
        return self._check_clock()

    cdef int _check_clock(self) except -1:
        """What was kept of instants holds for where the clock stood."""
        clock = self.scanner.stamps.state
        if clock != self.clock:
            self.clock = clock
            self._forget_stamps()
        return 0

    cdef int _set_width(self, int width) except -1:
        """So wide is the stamp; its fraction stands behind the seconds of a date, or at the end of seconds since 1970."""
        self.width = width
        self.fraction = width
        if self.digits:
            self.fraction = {"short-precise": 16, "oslo": 20, "short-iso-precise": 20}.get(self.scanner._format.name, width - self.digits)
        if width > STAMP_WIDTH or self.fraction + self.digits > width:
            raise ValueError(f"a stamp of {width} bytes")
        return 0

    # -- stamps --------------------------------------------------------------------------------------------------------

    cdef void _forget_stamps(self) noexcept:
        memset(self.stamp_text, 0, sizeof(self.stamp_text))
        memset(self.month, 0, 3)

    cdef int64_t _instant(self, const char *key) except? -1:
        cdef const char *line = key - self.width
        cdef char stamp[STAMP_WIDTH]
        cdef uint32_t i
        cdef int k
        cdef int64_t fraction = 0
        if not self.has_year and memcmp(line, self.month, 3) != 0:  # the year may turn
            self._forget_stamps()
            memcpy(self.month, line, 3)
        memcpy(stamp, line, self.width)
        for k in range(self.fraction, self.fraction + self.digits):
            if not 48 <= line[k] <= 57:
                return NO_TIME
            fraction = fraction * 10 + line[k] - 48
            stamp[k] = 48
        fraction *= self.scale
        k = self.fraction - 3
        if self.digits and line[k - 1] == 58 and 48 <= line[k] <= 53 and 48 <= line[k + 1] <= 57:  # :00 to :59
            fraction += (line[k] * 10 + line[k + 1] - 528) * SECOND
            stamp[k] = stamp[k + 1] = 48
        else:
            k = 0
        i = self.last_stamp
        if memcmp(self.stamp_text[i], stamp, self.width) == 0:
            return self.stamp_at[i] + fraction
        i = self.last_stamp = <uint32_t>(hash_bytes(stamp, self.width, 0) & (STAMPS - 1))
        if memcmp(self.stamp_text[i], stamp, self.width) != 0:
            at = self.scanner.read_whole_stamp(PyBytes_FromStringAndSize(stamp, self.width))
            if at is None:
                return NO_TIME
            memcpy(self.stamp_text[i], stamp, self.width)
            self.stamp_at[i] = at
        return self.stamp_at[i] + fraction


cdef int64_t STEP = 0
cdef int64_t GAP = 0
cdef size_t LEAST_PREFIX = 0
cdef dict _matchers = {}


cdef RowMatcher _matcher(row):
    found = _matchers.get(id(row))
    if found is None or found[0] is not row:
        found = _matchers[id(row)] = (row, RowMatcher(row))
    return found[1]


cdef extern from "Python.h":
    char *PyByteArray_AS_STRING(object)


cdef inline const char *_past(const char *p, const char *end, const char *literal, Py_ssize_t n) noexcept nogil:
    """Behind this literal, if it stands here; else NULL, as for any NULL."""
    return p + n if p != NULL and end - p >= n and memcmp(p, literal, n) == 0 else NULL


cdef inline const char *_over(const char *p, const char *end, const char *stops, Py_ssize_t n, Py_ssize_t least, Py_ssize_t most) noexcept nogil:
    """Up to the first of these bytes; NULL if too few or too many others stand before it."""
    cdef const char *begin = p
    if p == NULL:
        return NULL
    while p < end and memchr(stops, p[0], n) == NULL:
        p += 1
    return p if least <= p - begin <= most else NULL


cdef inline const char *_token(const char *p, const char *end) noexcept nogil:
    """Behind the bytes that are no blanks; NULL if there are none."""
    cdef const char *begin = p
    if p == NULL:
        return NULL
    while p < end and not _blank(p[0]):
        p += 1
    return p if p > begin else NULL


cdef inline const char *_digits(const char *p, const char *end, Py_ssize_t most) noexcept nogil:
    cdef const char *begin = p
    if p == NULL:
        return NULL
    while p < end and 48 <= p[0] <= 57:
        p += 1
    return p if 1 <= p - begin <= most else NULL


cdef inline bint _has_no_prefix(const char *line, size_t n) noexcept nogil:
    """What `fast.has_no_prefix` says."""
    cdef char c = line[0]
    if c == 45:
        return False
    if n < LEAST_PREFIX:
        return True
    if 65 <= c <= 90:
        return line[3] != 32
    return not (48 <= c <= 57 and 48 <= line[1] <= 57 and 48 <= line[2] <= 57 and 48 <= line[3] <= 57)


cdef inline bint _begins_word(char c) noexcept nogil:
    return _fits(WORD, c)


cdef bint _may_be_glued(const char *text, const char *end) noexcept nogil:
    """Whether behind the first byte of the text there is what looks like a record's text: `glued.may_be_glued`."""
    cdef const char *p = text
    cdef const char *q
    while True:
        p = <const char *>memchr(p + 1, 91, end - p - 1) if end - p > 1 else NULL  # [
        if p == NULL:
            return False
        if p[-1] != 32:
            continue
        if end - p >= 6 and memcmp(p, b"[pid: ", 6) == 0:
            return True
        q = p - 1
        while q > text and (_fits(WORD, q[-1]) or q[-1] == 46 or q[-1] == 60 or q[-1] == 62 or q[-1] == 45):  # .<>-
            q -= 1
        if q < p - 1 and q - text > 5 and q[-1] == 32 and memchr(b"GORLET", q[-2], 6) != NULL and 65 <= q[-3] <= 90:
            return True


cdef object _name(const char *text, Py_ssize_t n):
    """A project's or user's name in a bracket, None for `None`."""
    if n == 4 and memcmp(text, b"None", 4) == 0:
        return None
    return text[:n].decode("utf-8", "replace")


cdef bint _ends_whole(const char *end, const char *text) noexcept nogil:
    """Whether the text ends as DevStack's debug suffix does, with or without a blank behind it."""
    if end - text >= 2 and end[-1] == 125 and end[-2] == 125:
        return True
    return end - text >= 3 and end[-1] == 32 and end[-2] == 125 and end[-3] == 125


cdef const char *_devstack_suffix(const char *text, const char *end) noexcept nogil:
    """Where the debug suffix begins; NULL if the record has none or does not end in it."""
    cdef const char *p = end
    if not _ends_whole(end, text):
        return NULL
    while True:
        p = find_last(text, p, 123)
        if p == NULL or p - text < 2:
            return NULL
        if p[-1] == 123 and p[-2] == 32:  # " {{"
            return p - 2


cdef inline bint _blank(char c) noexcept nogil:
    return c == 32 or 9 <= c <= 13


cdef const char *_oslo_suffix(const char *text, const char *end) noexcept nogil:
    """Where oslo.log's debug suffix begins (a blank, a function, a path ending in .py or .pyc, a colon, a line number); NULL if there is none."""
    cdef const char *least = end - 400 if end - text > 400 else text
    cdef const char *p = end
    cdef const char *q
    while p > least and 48 <= p[-1] <= 57:
        p -= 1
    if end - p < 1 or end - p > 10 or p <= least or p[-1] != 58:
        return NULL
    p -= 1  # the colon
    q = p
    if q - least >= 4 and q[-1] == 99:  # .pyc
        q -= 1
    if q - least < 4 or memcmp(q - 3, b".py", 3) != 0:
        return NULL
    q -= 3
    p = q
    while q > least and not _blank(q[-1]):
        q -= 1
    if q == p or q <= least or q[-1] != 32:
        return NULL
    q -= 1  # the blank between function and path
    p = q
    while q > least and not _blank(q[-1]):
        q -= 1
    if q == p or q <= least or q[-1] != 32:
        return NULL
    return q - 1


cdef int64_t _worker(const char *line, const char *end) noexcept nogil:
    """The worker's pid in DevStack's debug suffix, -1 if there is none: `headers.worker_pid`."""
    cdef const char *p = end - 7
    cdef const char *q
    cdef int64_t pid = 0
    while p >= line:
        if p[0] == 123 and memcmp(p, b"{{(pid=", 7) == 0:
            q = p + 7
            while q < end and q - p < 17 and 48 <= q[0] <= 57:
                pid = pid * 10 + q[0] - 48
                q += 1
            return pid if q > p + 7 and q < end and q[0] == 41 else -1
        p -= 1
    return -1


def number_uuids(const uint8_t[:] uuids, const int64_t[:] rows, const int64_t[:] starts, const int64_t[:] ends, int32_t[:, :] numbers, int column):
    """Writes into a column where among its request's events each event's uuid stood first. ``rows`` are the events by request, from start to end each."""
    cdef Py_ssize_t n, i, j, k, count
    cdef const uint8_t *one
    cdef uint64_t begin
    cdef Py_ssize_t most = 1
    for n in range(starts.shape[0]):
        most = max(most, ends[n] - starts[n])
    # The uuids of one request that differ: what they begin with, and the event that has each first.
    cdef uint64_t *begins = <uint64_t *>PyMem_Malloc(most * 8)
    cdef Py_ssize_t *firsts = <Py_ssize_t *>PyMem_Malloc(most * sizeof(Py_ssize_t))
    if begins == NULL or firsts == NULL:
        raise MemoryError()
    for n in range(starts.shape[0]):
        count = 0
        for i in range(starts[n], ends[n]):
            one = &uuids[rows[i] * 36]
            memcpy(&begin, one, 8)
            for k in range(count):
                if begins[k] == begin and memcmp(&uuids[rows[firsts[k]] * 36], one, 36) == 0:
                    j = firsts[k]
                    break
            else:
                j = i
                begins[count], firsts[count] = begin, i
                count += 1
            numbers[i, column] = <int32_t>(j - starts[n])
    PyMem_Free(begins)
    PyMem_Free(firsts)


def group_alike(uint64_t seed, const int32_t[:, ::1] signature, const int64_t[:] starts, const int64_t[:] ends, const int64_t[:] among, int64_t[:] leaders):
    """Writes for each of these requests (``among``) which of them is the first of which the rows of the signature are the same."""
    cdef Table known = Table(seed)
    cdef Py_ssize_t i, n
    cdef int32_t found
    cdef size_t width = signature.shape[1] * 4
    cdef const char *text
    cdef size_t length
    for i in range(among.shape[0]):
        n = among[i]
        text, length = <const char *>&signature[starts[n], 0], (ends[n] - starts[n]) * width
        found = known.find(text, length)
        if found < 0:
            found = <int32_t>n
            known.add(text, length, found)
        leaders[i] = found


cdef bint has_escapes(const char *text, size_t n) noexcept nogil:
    """Whether there is anything for `drop_escapes`."""
    return memchr(text, 27, n) != NULL or memchr(text, 0, n) != NULL or find_bytes(text, n, b"#033[", 5) != NULL


cdef size_t drop_escapes(const char *text, size_t n, char *out) noexcept nogil:
    """Writes the text without colour escapes and NULs, which may be done in place; returns its length."""
    cdef const char *p = text
    cdef const char *end = text + n
    cdef const char *q
    cdef char *begin = out
    while True:
        q = find_mark(p, end, 27, 35, 0)
        memmove(out, p, q - p)
        out += q - p
        p = q
        if p == end:
            return out - begin
        if p[0] == 0:
            p += 1
            continue
        q = NULL
        if p[0] == 27 and p + 1 < end and p[1] == 91:  # ESC [
            q = p + 2
        elif p[0] == 35 and end - p >= 5 and memcmp(p, b"#033[", 5) == 0:
            q = p + 5
        if q != NULL:
            while q < end and (48 <= q[0] <= 57 or q[0] == 59):
                q += 1
            if q < end and q[0] == 109:  # m
                p = q + 1
                continue
        out[0] = p[0]
        out += 1
        p += 1


cdef enum:
    ESCAPED = 1  # `#033[`, which begins a colour
    JOINED = 2  # `#012`, the end of a line


cdef int find_written(const char *text, size_t n) noexcept nogil:
    """What syslog has written for control characters: one byte is found many times as fast as several."""
    cdef const char *p = text
    cdef const char *end = text + n
    cdef int found = 0
    while True:
        p = <const char *>memchr(p, 35, end - p)
        if p == NULL:
            return found
        if end - p >= 5 and memcmp(p, b"#033[", 5) == 0:
            found |= ESCAPED
        elif end - p >= 4 and memcmp(p, b"#012", 4) == 0:
            found |= JOINED
        p += 1


cdef enum:
    LITERAL, MAYBE, ONE_OF
    DIGITS, HEX, WORD, UNQUOTED, LISTED


cdef class Finder:
    """A pattern of a result's fact, if it is a sequence of literals, optional bytes and choices of bytes before a run of one class.

    ``steps`` are (op, bytes); ``run`` is (class, least, most), ``after`` a literal behind the run, ``edge`` whether a word must end there.
    """

    cdef list steps
    cdef int run, count
    cdef Py_ssize_t least, most
    cdef bytes after, anchor
    cdef bint edge
    cdef int ops[8]
    cdef const char *texts[8]
    cdef Py_ssize_t sizes[8]
    cdef int anchor_at

    def __cinit__(self, steps, run, least, most, after, edge):
        cdef int i
        self.steps, self.run, self.least, self.most, self.after, self.edge = list(steps), run, least, most, after, edge
        self.count = len(self.steps)
        if self.count > 8:
            raise ValueError("too many steps")
        self.anchor_at = 0
        for i in range(self.count):
            op, text = self.steps[i]
            self.ops[i], self.texts[i], self.sizes[i] = op, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text)
        # Searched for is the first literal; before it may stand at most one choice.
        if self.ops[0] == ONE_OF:
            self.anchor_at = 1
        if self.ops[self.anchor_at] != LITERAL:
            raise ValueError("no literal to search for")

    cdef object search(self, const char *text, const char *end):
        """The run behind the first place that fits, None if there is none."""
        cdef const char *p = text
        cdef const char *at
        cdef const char *q
        cdef int i
        while True:
            at = find_bytes(p, end - p, self.texts[self.anchor_at], self.sizes[self.anchor_at])
            if at == NULL:
                return None
            p = at + 1
            if self.anchor_at and (at == text or memchr(self.texts[0], at[-1], self.sizes[0]) == NULL):
                continue
            q = at
            for i in range(self.anchor_at, self.count):
                if self.ops[i] == LITERAL:
                    if end - q < self.sizes[i] or memcmp(q, self.texts[i], self.sizes[i]) != 0:
                        break
                    q += self.sizes[i]
                elif self.ops[i] == MAYBE:
                    if q < end and q[0] == self.texts[i][0]:
                        q += 1
                else:
                    if q >= end or memchr(self.texts[i], q[0], self.sizes[i]) == NULL:
                        break
                    q += 1
            else:
                found = self._run(q, end)
                if found is not None:
                    return found

    cdef object _run(self, const char *q, const char *end):
        cdef const char *begin = q
        cdef Py_ssize_t most = self.most if self.most < end - q else end - q
        if self.run == LISTED:  # [ … ] without brackets inside
            if q >= end or q[0] != 91:
                return None
            q += 1
            while q < end and q[0] != 91 and q[0] != 93 and q - begin <= self.most:
                q += 1
            if q >= end or q[0] != 93:
                return None
            q += 1
        else:
            while q - begin < most and _fits(self.run, q[0]):
                q += 1
            if q - begin < self.least:
                return None
            if self.edge and q < end and _fits(WORD, q[0]):
                return None
        if PyBytes_GET_SIZE(self.after) and (end - q < PyBytes_GET_SIZE(self.after) or memcmp(q, PyBytes_AS_STRING(self.after), PyBytes_GET_SIZE(self.after)) != 0):
            return None
        return _kept_once(begin, q - begin)


cdef inline bint _fits(int run, char c) noexcept nogil:
    if run == DIGITS:
        return 48 <= c <= 57
    if run == HEX:
        return 48 <= c <= 57 or 97 <= c <= 102 or c == 45
    if run == WORD:
        return 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122 or c == 95
    return c != 39


OPS = {"literal": LITERAL, "maybe": MAYBE, "one of": ONE_OF}
RUNS = {"digits": DIGITS, "hex": HEX, "word": WORD, "unquoted": UNQUOTED, "list": LISTED}
