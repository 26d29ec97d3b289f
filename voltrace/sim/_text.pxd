"""What the kernels share: Python's texts as C sees them, and numbers as text."""

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    int PyUnicode_IS_ASCII(object text)
    object PyUnicode_DecodeASCII(const char *text, Py_ssize_t size, const char *errors)


cdef struct Span:
    const char *text
    Py_ssize_t size


cdef inline void write_digits(char *at, unsigned long long number, int digits) noexcept:
    """Writes a number of so many digits."""
    while digits:
        digits -= 1
        at[digits] = 48 + number % 10
        number //= 10
