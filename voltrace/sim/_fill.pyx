# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""Records filled in as bytes: what `texts` does line by line, done for records and plays without a Python object a line.

A script's program (`Records.program`) is laid out flat, the fields of each play are encoded once, and a record is put together when its
turn to be written comes, straight into the block that goes to merged.log; its service's block gets a copy.
"""

from array import array as make_array

from cpython.array cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.string cimport memcpy, memmove, memset

from ._text cimport PyUnicode_AsUTF8AndSize, PyUnicode_IS_ASCII, Span, write_digits

from .write import SERVICES

cdef extern from "Python.h":
    int PyBUF_READ

cdef enum:
    BLOCK = 192 * 1024  # bytes given to a file at a time: few calls, and they stay in the cache
    END = 1 << 30  # the gap behind a record's last text
    WHOSE = 2  # bits of a key that name the service
    BITS = 11  # of a key's digit
    DIGIT = 1 << BITS
    STAMP = 40  # bytes of the longest stamp


cdef struct Piece:
    Py_ssize_t start
    Py_ssize_t size
    int gap


cdef struct Waiting:
    # A play of which some records are not written. ``owned`` is a tuple of what its pointers point into.
    PyObject *owned
    Piece *pieces
    int *firsts
    const char *texts
    Py_ssize_t *sizes
    Span *fields
    long long *shown
    Py_ssize_t widest  # bytes of its longest field
    int left


cdef struct Record:
    long long key  # its instant, and in the last bits the number of its service
    Waiting *play
    int number


cdef class Program:
    """The records of a script: their texts one behind the other, each record's with its end of line."""

    cdef bytes texts
    cdef Piece *pieces
    cdef int *firsts  # of each record, the number of its first piece
    cdef Py_ssize_t *sizes  # of each record, the bytes of its texts and stamps, and then the number of its fields
    cdef int records

    def __cinit__(self, list program):
        cdef Py_ssize_t start = 0, n = 0, constant, fields
        cdef int record
        whole = []
        self.records = len(program)
        self.pieces = <Piece *>PyMem_Malloc(sum(map(len, program)) * sizeof(Piece))
        self.firsts = <int *>PyMem_Malloc(self.records * sizeof(int))
        self.sizes = <Py_ssize_t *>PyMem_Malloc(2 * self.records * sizeof(Py_ssize_t))
        if not (self.pieces and self.firsts and self.sizes):
            raise MemoryError
        for record, pieces in enumerate(program):
            self.firsts[record] = n
            constant = fields = 0
            for text, gap in pieces:
                data = text.encode("utf-8", "surrogateescape") + (b"\n" if gap is None else b"")
                whole.append(data)
                self.pieces[n].start, self.pieces[n].size, self.pieces[n].gap = start, len(data), END if gap is None else gap
                start += len(data)
                n += 1
                constant += len(data) + (STAMP if gap is not None and gap < 0 else 0)
                fields += gap is not None and gap >= 0
            self.sizes[2 * record], self.sizes[2 * record + 1] = constant, fields
        self.texts = b"".join(whole)

    def __dealloc__(self):
        PyMem_Free(self.pieces)
        PyMem_Free(self.firsts)
        PyMem_Free(self.sizes)


cdef class Block:
    """Bytes on their way to a file."""

    cdef char *data
    cdef Py_ssize_t size, room
    cdef object file

    def __cinit__(self):
        self.room = BLOCK
        self.data = <char *>PyMem_Malloc(self.room)
        if not self.data:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.data)

    cdef char *reserve(self, Py_ssize_t size) except NULL:
        """Where so many more bytes may be put."""
        if self.size + size > self.room:
            self.give()
            if size > self.room:
                data = <char *>PyMem_Realloc(self.data, size)
                if not data:
                    raise MemoryError
                self.data, self.room = data, size
        return self.data + self.size

    cdef int give(self) except -1:
        """Gives the file what it has."""
        if self.size:
            view = PyMemoryView_FromMemory(self.data, self.size, PyBUF_READ)
            self.size = 0
            self.file.write(view)
            view.release()
        return 0


cdef class Sheet:
    """A `Sheet` (see `write`) of records that are not filled in before they are written."""

    cdef object prefix, clock
    cdef int digits
    cdef long long second
    cdef bytes head
    cdef Record *records
    cdef Py_ssize_t size, room
    cdef list blocks

    def __cinit__(self, prefix, clock=None):
        self.prefix, self.clock, self.digits = prefix, clock, prefix.digits
        self.blocks = [Block() for _ in range(len(SERVICES) + 1)]

    def __dealloc__(self):
        cdef Py_ssize_t n
        for n in range(self.size):
            let_go(self.records[n].play)
        PyMem_Free(self.records)

    def put(self, script, list plays):
        cdef Program program
        cdef int whose = SERVICES.index(script.service)
        records, written = script.records, script.written
        if records.compiled is None and not records.rewritten:
            records.compiled = Program(records.program())
        program = records.compiled
        if program is None or self.clock is not None:
            self._put_shown(script, plays, whose, program)
            return
        cdef Py_ssize_t length = program.records
        self._reserve(len(plays) * length)
        for play in plays:
            self._add(program, play.fields, play.begin, play.lapses, play.shown or play.lapses, written, whose)

    def _put_shown(self, script, list plays, int whose, Program program):
        """Plays whose records are changed as texts, or whose stamps come from a clock that is set: seldom, and as `texts` does it."""
        from .texts import instants, write_texts

        ats, stamps = instants(script, plays, self.clock)
        self._reserve(ats.size)
        for n, play in enumerate(plays):
            true, shown = make_array("q", ats[n].tobytes()), make_array("q", stamps[n].tobytes())
            if program is None:
                written = write_texts(script, [play], stamps[n : n + 1], self.prefix)
                self._add(Program([[(text, None)] for text in written]), (), 0, true, shown, None, whose)
            else:
                self._add(program, play.fields, 0, true, shown, None, whose)

    cdef int _reserve(self, Py_ssize_t size) except -1:
        cdef Py_ssize_t room = self.room
        if self.size + size > room:
            room = max(2 * room, self.size + size)
            records = <Record *>PyMem_Realloc(self.records, room * sizeof(Record))
            if not records:
                raise MemoryError
            self.records, self.room = records, room
        return 0

    cdef int _add(self, Program program, tuple fields, long long begin, array lapses, array told, tuple written, int whose) except -1:
        """A play. Room for its records is reserved."""
        cdef Py_ssize_t n, place, count = len(fields), length = program.records
        cdef Record *record = self.records + self.size
        play = <Waiting *>PyMem_Malloc(sizeof(Waiting) + count * sizeof(Span) + length * sizeof(long long))
        if not play:
            raise MemoryError
        play.fields = <Span *>(play + 1)
        play.shown = <long long *>(play.fields + count)
        try:
            made = encode(fields, play.fields)
            for n in range(length):
                place = n if written is None else written[n]
                record[n].key = ((begin + lapses.data.as_longlongs[place]) << WHOSE) + whose
                record[n].play, record[n].number = play, n
                play.shown[n] = begin + told.data.as_longlongs[place]
        except BaseException:
            PyMem_Free(play)
            raise
        owned = (program, fields, made)
        Py_INCREF(owned)
        play.owned = <PyObject *>owned
        play.pieces, play.firsts, play.sizes, play.texts = program.pieces, program.firsts, program.sizes, PyBytes_AS_STRING(program.texts)
        play.left, play.widest = length, 0
        for n in range(count):
            play.widest = max(play.widest, play.fields[n].size)
        self.size += length
        return 0

    def flush(self, now, list files):
        cdef Py_ssize_t n, size, end = self.size
        cdef long long until
        cdef Record *record
        cdef Block own, merged = self.blocks[len(files) - 1]
        cdef char *start
        cdef int whose
        cdef long long last[1 << WHOSE]
        for n in range(len(files)):
            (<Block>self.blocks[n]).file = files[n]
            last[n] = -1
        self._sort()
        if now is not None:
            until = <long long>now << WHOSE
            while end and self.records[end - 1].key >= until:
                end -= 1
        for n in range(end):
            record = &self.records[n]
            start = merged.reserve(bound(record))
            size = self._fill(record, start)
            merged.size += size
            whose = record.key & (1 << WHOSE) - 1
            last[whose] = n
            own = <Block>self.blocks[whose]
            if own.file is not None:
                memcpy(own.reserve(size), start, size)
                own.size += size
        for n in range(len(files)):
            (<Block>self.blocks[n]).give()
        ends = [None if last[n] < 0 else self.records[last[n]].key >> WHOSE for n in range(len(files) - 1)]
        for n in range(end):
            let_go(self.records[n].play)
        self.size -= end
        memmove(self.records, self.records + end, self.size * sizeof(Record))
        return ends

    cdef int _sort(self) except -1:
        """Sorts the records by their keys, those of one key as they came: by digits, the last first."""
        cdef Py_ssize_t n, place, count
        cdef Py_ssize_t places[DIGIT]
        cdef long long least = 0, most = 0, key
        cdef int shift = 0
        cdef Record *records
        if self.size:
            least = most = self.records[0].key
        for n in range(self.size):
            least, most = min(least, self.records[n].key), max(most, self.records[n].key)
        while (most - least) >> shift:
            records = <Record *>PyMem_Malloc(self.room * sizeof(Record))
            if not records:
                raise MemoryError
            memset(places, 0, sizeof(places))
            for n in range(self.size):
                places[((self.records[n].key - least) >> shift) & (DIGIT - 1)] += 1
            place = 0
            for n in range(DIGIT):
                count = places[n]
                places[n] = place
                place += count
            for n in range(self.size):
                key = ((self.records[n].key - least) >> shift) & (DIGIT - 1)
                records[places[key]] = self.records[n]
                places[key] += 1
            PyMem_Free(self.records)
            self.records = records
            shift += BITS
        return 0

    cdef Py_ssize_t _fill(self, Record *record, char *start) except -1:
        """Fills a record in. The bytes that it takes."""
        cdef Waiting *play = record.play
        cdef Piece *piece = play.pieces + play.firsts[record.number]
        cdef char *at = start
        while True:
            memcpy(at, play.texts + piece.start, piece.size)
            at += piece.size
            if piece.gap == END:
                return at - start
            if piece.gap >= 0:
                memcpy(at, play.fields[piece.gap].text, play.fields[piece.gap].size)
                at += play.fields[piece.gap].size
            else:
                at = self._stamp(play.shown[~piece.gap], at)
            piece += 1

    cdef char *_stamp(self, long long shown, char *at) except NULL:
        """Writes the stamp of an instant. Where it ends."""
        cdef long long second = shown // 1000000
        cdef int micros = shown - second * 1000000
        cdef Py_ssize_t size
        if self.head is None or second != self.second:
            self.second, self.head = second, self.prefix.head(second).encode()
            if PyBytes_GET_SIZE(self.head) + 6 > STAMP:
                raise ValueError(f"no stamp may have more than {STAMP} bytes")
        size = PyBytes_GET_SIZE(self.head)
        memcpy(at, PyBytes_AS_STRING(self.head), size)
        at += size
        if self.digits == 6:
            write_digits(at, micros, 6)
        elif self.digits == 3:
            write_digits(at, micros // 1000, 3)
        return at + self.digits


cdef void let_go(Waiting *play) noexcept:
    """One record less needs the play."""
    play.left -= 1
    if not play.left:
        Py_DECREF(<object>play.owned)
        PyMem_Free(play)


cdef Py_ssize_t bound(Record *record) noexcept:
    """No fewer bytes than the record takes."""
    cdef Waiting *play = record.play
    return play.sizes[2 * record.number] + play.sizes[2 * record.number + 1] * play.widest


cdef object encode(tuple values, Span *spans):
    """Points the spans to the texts of the values in UTF-8. What had to be made for that, to be kept as long as they are."""
    cdef Py_ssize_t n
    cdef list made = []
    for n, value in enumerate(values):
        if type(value) is not str or not PyUnicode_IS_ASCII(value):
            value = str(value).encode("utf-8", "surrogateescape")
            made.append(value)
            spans[n].text, spans[n].size = PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)
        else:
            spans[n].text = PyUnicode_AsUTF8AndSize(value, &spans[n].size)
    return made
