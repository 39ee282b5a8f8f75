/* The product of a Q8_0 matrix with the columns of a batch, with AVX-512 VNNI.
 *
 * llama.cpp unpacks a block of weights again for every few columns; here it is unpacked once for all. A product of two
 * blocks is 32 exact integer products, times both blocks' scales in float32; a column's result does not depend on how
 * many columns are computed with it. Tests compare it with NumPy. */
#include "ops.h"

#ifdef CLEW_VNNI

enum {
    ROWS = 16,     /* of the matrix in one pass: the 32-bit lanes of a register */
    BLOCK = 32,    /* numbers with one scale */
    WORDS = 8,     /* of four numbers in a block */
    GROUP = 8,     /* columns whose sums are kept in registers together */
    COLUMNS = 128, /* described at a time */
    BLOCKS = 64    /* of a row unpacked at a time; these two bound the room on the stack to 102 KB */
};

typedef struct {
    uint16_t scale; /* float16 */
    int8_t quants[BLOCK];
} __attribute__((packed)) Block;

typedef struct {
    float scale;
    int32_t bias; /* -128 times the sum of the block's quants */
} Column;

typedef struct {
    __m512i quants[BLOCKS][WORDS]; /* word w of each of ROWS rows, plus 128: the instruction wants one side unsigned */
    __m512 scales[BLOCKS];
    Column columns[COLUMNS / GROUP][BLOCKS][GROUP];
} Room;

VNNI static void describe(const Block *b, int64_t stride, int blocks, int columns, Room *room) {
    const __m256i ones = _mm256_set1_epi8(1);
    for (int j = 0; j < columns; j++)
        for (int i = 0; i < blocks; i++) {
            const Block *block = b + j * stride + i;
            Column *column = &room->columns[j / GROUP][i][j % GROUP];
            __m256i quants = _mm256_loadu_si256((const __m256i *)block->quants);
            __m256i fours = _mm256_dpbusd_epi32(_mm256_setzero_si256(), ones, quants);
            __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(fours), _mm256_extracti128_si256(fours, 1));
            sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
            sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
            column->bias = -128 * _mm_cvtsi128_si32(sum);
            column->scale = _cvtsh_ss(block->scale);
        }
}

/* A transposition of 16 rows of 8 words, as two of 8 by 8 in the halves of the registers. */
VNNI static void unpack(const Block *a, int64_t stride, int blocks, Room *room) {
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    const __m512i even = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), odd = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    for (int i = 0; i < blocks; i++, a++) {
        __m512i x[8], y[8];
        uint16_t scales[ROWS];
        for (int r = 0; r < ROWS; r++) scales[r] = a[r * stride].scale;
        room->scales[i] = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)scales));
        for (int r = 0; r < 8; r++) {
            __m256i low = _mm256_loadu_si256((const __m256i *)a[r * stride].quants);
            __m256i high = _mm256_loadu_si256((const __m256i *)a[(r + 8) * stride].quants);
            x[r] = _mm512_xor_si512(flip, _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
        }
        for (int r = 0; r < 8; r += 2) {
            y[r] = _mm512_unpacklo_epi32(x[r], x[r + 1]);
            y[r + 1] = _mm512_unpackhi_epi32(x[r], x[r + 1]);
        }
        for (int r = 0; r < 8; r += 4)
            for (int h = 0; h < 2; h++) {
                x[r + 2 * h] = _mm512_unpacklo_epi64(y[r + h], y[r + h + 2]);
                x[r + 2 * h + 1] = _mm512_unpackhi_epi64(y[r + h], y[r + h + 2]);
            }
        for (int w = 0; w < 4; w++) {
            room->quants[i][w] = _mm512_permutex2var_epi64(x[w], even, x[w + 4]);
            room->quants[i][w + 4] = _mm512_permutex2var_epi64(x[w], odd, x[w + 4]);
        }
    }
}

/* ROWS rows times n columns, n a constant where this is called; added to c, or written where it is the first. */
INLINED void tile(const int n, const Room *room, const Column (*column)[GROUP], const Block *b, int64_t stride,
                  int blocks, float *c, int64_t ldc, bool first) {
    __m512 sum[GROUP];
#pragma GCC unroll 8
    for (int j = 0; j < n; j++) sum[j] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + j * ldc);
    for (int i = 0; i < blocks; i++) {
        __m512i dot[GROUP];
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) dot[j] = _mm512_set1_epi32(column[i][j].bias);
#pragma GCC unroll 8
        for (int w = 0; w < WORDS; w++) {
            __m512i weights = room->quants[i][w];
#pragma GCC unroll 8
            for (int j = 0; j < n; j++) {
                int32_t word;
                memcpy(&word, b[j * stride + i].quants + 4 * w, sizeof word);
                dot[j] = _mm512_dpbusd_epi32(dot[j], weights, _mm512_set1_epi32(word));
            }
        }
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) {
            __m512 scale = _mm512_mul_ps(room->scales[i], _mm512_set1_ps(column[i][j].scale));
            sum[j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[j]), scale, sum[j]);
        }
    }
#pragma GCC unroll 8
    for (int j = 0; j < n; j++) _mm512_storeu_ps(c + j * ldc, sum[j]);
}

VNNI static void tiles(int n, const Room *room, const Block *b, int64_t stride, int blocks, float *c, int64_t ldc,
                       bool first) {
    for (int j = 0; j < n; j += GROUP, b += GROUP * stride, c += GROUP * ldc) {
        const Column(*column)[GROUP] = room->columns[j / GROUP];
        switch (n - j) {
#define TILE(some) tile(some, room, column, b, stride, blocks, c, ldc, first)
        case 1: TILE(1); break;
        case 2: TILE(2); break;
        case 3: TILE(3); break;
        case 4: TILE(4); break;
        case 5: TILE(5); break;
        case 6: TILE(6); break;
        case 7: TILE(7); break;
        default: TILE(8);
        }
    }
}

/* m rows of a, n columns of b, k blocks in each; the strides lda, ldb in blocks, ldc in numbers. A thread computes whole
 * rows. */
VNNI static void multiply(const Params *params, int64_t m, int64_t n, int64_t k, const Block *a, int64_t lda,
                          const Block *b, int64_t ldb, float *c, int64_t ldc) {
    Room room;
    int64_t panels = m / ROWS, begin = panels * params->thread / params->threads;
    int64_t end = panels * (params->thread + 1) / params->threads;
    for (int64_t j = 0; j < n; j += COLUMNS)
        for (int64_t i = 0; i < k; i += BLOCKS) {
            int columns = n - j < COLUMNS ? n - j : COLUMNS, blocks = k - i < BLOCKS ? k - i : BLOCKS;
            describe(b + j * ldb + i, ldb, blocks, columns, &room);
            for (int64_t p = begin; p < end; p++) {
                unpack(a + p * ROWS * lda + i, lda, blocks, &room);
                tiles(columns, &room, b + j * ldb + i, ldb, blocks, c + j * ldc + p * ROWS, ldc, i == 0);
            }
        }
}

bool clew_matmul(const Params *params, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                 int64_t ldb, void *c, int64_t ldc) {
    if (m % ROWS) return false;
    multiply(params, m, n, k, a, lda, b, ldb, c, ldc);
    return true;
}

#else
bool clew_matmul(const Params *params, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                 int64_t ldb, void *c, int64_t ldc) {
    (void)params, (void)m, (void)n, (void)k, (void)a, (void)lda, (void)b, (void)ldb, (void)c, (void)ldc;
    return false;
}
#endif
