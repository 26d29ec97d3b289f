/* Searching in bytes, for the compiled kernels. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Where these m bytes stand first in the text, 0 if they do not. */
static inline const char *find_bytes(const char *text, size_t n, const char *what, size_t m) {
    if (m == 0) return text;
    while (n >= m) {
        const char *at = (const char *)memchr(text, what[0], n - m + 1);
        if (!at) return 0;
        if (m == 1 || memcmp(at + 1, what + 1, m - 1) == 0) return at;
        n -= (size_t)(at - text) + 1;
        text = at + 1;
    }
    return 0;
}

/* Four words at a time where there are as many, so that none has to wait for the one before it. */
static inline uint64_t hash_bytes(const char *key, size_t n, uint64_t seed) {
    const uint64_t k = 0x9E3779B97F4A7C15ull;
    uint64_t h = seed ^ (n * k), w;
    if (n >= 32) {
        uint64_t v[4], lane[4] = {h, h ^ k, h + k, ~h};
        const char *last = key + n - 32;
        int i;
        for (;;) {
            memcpy(v, key, 32);
            for (i = 0; i < 4; i++) { lane[i] = (lane[i] ^ v[i]) * k; lane[i] ^= lane[i] >> 29; }
            if (key == last) break;
            key = last - key < 32 ? last : key + 32;
        }
        for (i = 0; i < 4; i++) { h = (h ^ lane[i]) * k; h ^= h >> 29; }
        return h ^ (h >> 32);
    }
    while (n >= 8) { memcpy(&w, key, 8); h = (h ^ w) * k; h ^= h >> 29; key += 8; n -= 8; }
    if (n) { w = 0; memcpy(&w, key, n); h = (h ^ w) * k; h ^= h >> 29; }
    h *= k;
    return h ^ (h >> 32);
}

/* Up to the first byte that is one of these two, or not above `last`. */
static inline const char *find_mark(const char *p, const char *end, char one, char other, unsigned char last) {
#ifdef __SSE2__
    const __m128i a = _mm_set1_epi8(one), b = _mm_set1_epi8(other), most = _mm_set1_epi8((char)last);
    for (; end - p >= 16; p += 16) {
        const __m128i w = _mm_loadu_si128((const __m128i *)p);
        const __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(w, a), _mm_cmpeq_epi8(w, b));
        const int found = _mm_movemask_epi8(_mm_or_si128(marks, _mm_cmpeq_epi8(_mm_min_epu8(w, most), w)));
        if (found) return p + __builtin_ctz(found);
    }
#endif
    while (p < end && *p != one && *p != other && (unsigned char)*p > last) p++;
    return p;
}

/* Where this byte stands last in the text, 0 if it does not. */
static inline const char *find_last(const char *text, const char *end, char what) {
#ifdef __SSE2__
    const __m128i a = _mm_set1_epi8(what);
    for (; end - text >= 16; end -= 16) {
        const int found = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(end - 16)), a));
        if (found) return end - 16 + (31 - __builtin_clz(found));
    }
#endif
    while (end > text) if (*--end == what) return end;
    return 0;
}

/* What is in a text: bytes above ASCII (HIGH), NULs, carriage returns and escapes (CONTROLS), number signs (HASHES). */
enum { HIGH = 1, CONTROLS = 2, HASHES = 4 };
static inline int look_over(const char *p, const char *end) {
    int found = 0;
#ifdef __SSE2__
    const __m128i nul = _mm_setzero_si128(), cr = _mm_set1_epi8(13), esc = _mm_set1_epi8(27), hash = _mm_set1_epi8(35);
    __m128i high = nul, controls = nul, hashes = nul;
    for (; end - p >= 16; p += 16) {
        const __m128i w = _mm_loadu_si128((const __m128i *)p);
        high = _mm_or_si128(high, w);
        controls = _mm_or_si128(controls, _mm_or_si128(_mm_cmpeq_epi8(w, nul), _mm_or_si128(_mm_cmpeq_epi8(w, cr), _mm_cmpeq_epi8(w, esc))));
        hashes = _mm_or_si128(hashes, _mm_cmpeq_epi8(w, hash));
    }
    found = (_mm_movemask_epi8(high) ? HIGH : 0) | (_mm_movemask_epi8(controls) ? CONTROLS : 0) | (_mm_movemask_epi8(hashes) ? HASHES : 0);
#endif
    for (; p < end; p++) found |= (*p & 0x80 ? HIGH : 0) | (*p == 0 || *p == 13 || *p == 27 ? CONTROLS : 0) | (*p == 35 ? HASHES : 0);
    return found;
}

/* Numbers of two or three digits below 128, each with a comma behind it, written as bytes: behind those at which the text begins. No branch depends on their
   digits, for nobody could foretell them. */
static inline const char *read_numbers(const char *p, const char *end, char **out) {
    char *to = *out;
    while (end - p >= 4) {
        const unsigned a = (unsigned)(p[0] - '0'), b = (unsigned)(p[1] - '0'), c = (unsigned)(p[2] - '0');
        const unsigned two = p[2] == ',';
        const unsigned value = two ? a * 10 + b : a * 100 + b * 10 + c;
        if (!((a - 1 < 9) & (b < 10) & (two | ((c < 10) & (p[3] == ','))) & (value < 128))) break;
        *to++ = (char)value;
        p += 4 - two;
    }
    *out = to;
    return p;
}

static inline int is_ascii(const char *p, const char *end) {
    uint64_t w, found = 0;
    for (; end - p >= 8; p += 8) { memcpy(&w, p, 8); found |= w; }
    for (; p < end; p++) found |= (uint64_t)(*p & 0x80);
    return !(found & 0x8080808080808080ull);
}
