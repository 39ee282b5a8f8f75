/* What the machine can do at most: 8-bit products (AVX-512 VNNI) and reading memory. One thread each. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* Rounds of 12 independent multiply-accumulates of 64 pairs of bytes, nothing but registers. */
int32_t spin_int8(int64_t rounds) {
    __m512i a = _mm512_set1_epi32((int)rounds), b = _mm512_set1_epi8(3);
    __m512i s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a, s10 = a, s11 = a;
    for (int64_t r = 0; r < rounds; r++) {
#define ADD(sum) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
        ADD(s0); ADD(s1); ADD(s2); ADD(s3);
        ADD(s4); ADD(s5); ADD(s6); ADD(s7);
        ADD(s8); ADD(s9); ADD(s10); ADD(s11);
    }
    s0 = _mm512_xor_si512(_mm512_xor_si512(s0, s1), _mm512_xor_si512(s2, s3));
    s4 = _mm512_xor_si512(_mm512_xor_si512(s4, s5), _mm512_xor_si512(s6, s7));
    s8 = _mm512_xor_si512(_mm512_xor_si512(s8, s9), _mm512_xor_si512(s10, s11));
    return _mm512_reduce_add_epi32(_mm512_xor_si512(_mm512_xor_si512(s0, s4), s8));
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
