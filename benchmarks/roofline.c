/* What the machine can do at most: 8-bit products (AVX-512 VNNI) and reading memory. One thread each. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* Rounds of 16 independent multiply-accumulates of 64 pairs of bytes, nothing but registers. */
int32_t spin_int8(int64_t rounds) {
    __m512i sum[16], a = _mm512_set1_epi32((int)rounds), b = _mm512_set1_epi8(3);
    for (int i = 0; i < 16; i++) sum[i] = _mm512_set1_epi32(i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            sum[i] = _mm512_dpbusd_epi32(sum[i], a, b);
            __asm__ volatile("" : "+v"(sum[i]));
        }
    }
    for (int i = 1; i < 16; i++) sum[0] = _mm512_add_epi32(sum[0], sum[i]);
    return _mm512_reduce_add_epi32(sum[0]);
}

/* Read so many bytes, a multiple of 512. */
int64_t read_all(const char *data, size_t size) {
    __m512i sum[8];
    for (int i = 0; i < 8; i++) sum[i] = _mm512_setzero_si512();
    for (size_t at = 0; at < size; at += 512)
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) sum[i] = _mm512_add_epi64(sum[i], _mm512_load_si512(data + at + 64 * i));
    for (int i = 1; i < 8; i++) sum[0] = _mm512_add_epi64(sum[0], sum[i]);
    return _mm512_reduce_add_epi64(sum[0]);
}
