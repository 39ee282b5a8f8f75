/* Attention over a float16 cache, with AVX-512: what llama.cpp does position by position for a few queries, with its sums
 * of values in float16. Here the heads that share keys and values read them together, and sums are float32. A query's
 * result depends on its own sequence only: not on what else is in the batch, nor on who computes it.
 *
 * out = softmax(scale * K q + mask) V, in passes over CELLS positions with the running maximum and sum of Milakov and
 * Gimelshein, "Online normalizer calculation for softmax" (arXiv:1805.02867). Tests compare it with NumPy. */
#include "ops.h"

#ifdef CLEW_VNNI
#include <math.h>

enum {
    CELLS = 64,  /* positions in a pass: the bits of their mask fill a word */
    LANES = 16,
    HEADS = 4,   /* that share keys and values, at a time */
    WIDTH = 256, /* of a head, at most */
    SPAN = 4     /* registers of a head's width summed together */
};

typedef struct {
    const float *query[HEADS];
    const char *keys, *values;
    const uint16_t *mask; /* float16, or NULL */
    size_t key_stride, value_stride;
    int64_t cells;
    int width;
    float scale;
} Item;

/* e^x for x <= 0, relative error below 2e-7; 0 below -87 (the polynomial of kernel.c). */
INLINED __m512 exp_nonpositive(__m512 x) {
    const __m512 least = _mm512_set1_ps(-87.0f);
    __mmask16 zero = _mm512_cmp_ps_mask(x, least, _CMP_LT_OQ);
    __m512 c = _mm512_max_ps(least, x); /* of a NaN: the second */
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(c, _mm512_set1_ps(1.44269504088896341f)), 0);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), c);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);
    __m512 p = _mm512_set1_ps(1.9875691500e-4f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
    p = _mm512_fmadd_ps(_mm512_mul_ps(p, r), r, _mm512_add_ps(r, _mm512_set1_ps(1.0f)));
    return _mm512_maskz_scalef_ps((__mmask16)~zero, p, n);
}

INLINED __m512 halves(const char *row, int at) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(row + 2 * at)));
}

/* Where `sums` wants the register whose sum is to come out in each lane. */
static const int PLACES[LANES] = {0, 2, 1, 3, 8, 10, 9, 11, 4, 6, 5, 7, 12, 14, 13, 15};

INLINED __m512 sums(const __m512 *x) {
    __m512 y[8], z[4], w[2];
    for (int i = 0; i < 8; i++)
        y[i] = _mm512_add_ps(_mm512_shuffle_f32x4(x[i], x[i + 8], 0x44), _mm512_shuffle_f32x4(x[i], x[i + 8], 0xee));
    for (int i = 0; i < 4; i++)
        z[i] = _mm512_add_ps(_mm512_shuffle_f32x4(y[i], y[i + 4], 0x88), _mm512_shuffle_f32x4(y[i], y[i + 4], 0xdd));
    for (int i = 0; i < 2; i++)
        w[i] = _mm512_add_ps(_mm512_shuffle_ps(z[i], z[i + 2], 0x44), _mm512_shuffle_ps(z[i], z[i + 2], 0xee));
    return _mm512_add_ps(_mm512_shuffle_ps(w[0], w[1], 0x88), _mm512_shuffle_ps(w[0], w[1], 0xdd));
}

/* The scores of 16 positions for n heads that share their keys. */
INLINED void score(const int n, const Item *item, const char *keys, __m512 *scores) {
    __m512 products[HEADS][LANES];
    for (int r = 0; r < LANES; r++, keys += item->key_stride) {
        __m512 sum[HEADS];
#pragma GCC unroll 4
        for (int h = 0; h < n; h++) sum[h] = _mm512_setzero_ps();
        for (int d = 0; d < item->width; d += LANES) {
            __m512 key = halves(keys, d);
#pragma GCC unroll 4
            for (int h = 0; h < n; h++) sum[h] = _mm512_fmadd_ps(key, _mm512_loadu_ps(item->query[h] + d), sum[h]);
        }
#pragma GCC unroll 4
        for (int h = 0; h < n; h++) products[h][PLACES[r]] = sum[h];
    }
#pragma GCC unroll 4
    for (int h = 0; h < n; h++) scores[h] = _mm512_mul_ps(sums(products[h]), _mm512_set1_ps(item->scale));
}

/* Add the values of the positions in `seen`, weighted, to the sums of n heads. */
INLINED void weigh(const int n, const Item *item, const char *values, uint64_t seen, float (*weights)[CELLS],
                   float (*out)[WIDTH]) {
    for (int d = 0; d < item->width; d += SPAN * LANES) {
        __m512 sum[HEADS][SPAN];
#pragma GCC unroll 4
        for (int h = 0; h < n; h++)
#pragma GCC unroll 4
            for (int s = 0; s < SPAN; s++) sum[h][s] = _mm512_loadu_ps(out[h] + d + s * LANES);
        for (uint64_t left = seen; left; left &= left - 1) {
            int r = __builtin_ctzll(left);
            __m512 value[SPAN];
#pragma GCC unroll 4
            for (int s = 0; s < SPAN; s++) value[s] = halves(values + r * item->value_stride, d + s * LANES);
#pragma GCC unroll 4
            for (int h = 0; h < n; h++) {
                __m512 weight = _mm512_set1_ps(weights[h][r]);
#pragma GCC unroll 4
                for (int s = 0; s < SPAN; s++) sum[h][s] = _mm512_fmadd_ps(value[s], weight, sum[h][s]);
            }
        }
#pragma GCC unroll 4
        for (int h = 0; h < n; h++)
#pragma GCC unroll 4
            for (int s = 0; s < SPAN; s++) _mm512_storeu_ps(out[h] + d + s * LANES, sum[h][s]);
    }
}

/* The positions of a pass that the mask lets through, and the mask's numbers. */
INLINED uint64_t open(const Item *item, int64_t at, __m512 *added) {
    if (!item->mask) return ~(uint64_t)0;
    uint64_t seen = 0;
    for (int b = 0; b < CELLS / LANES; b++) {
        added[b] = halves((const char *)(item->mask + at), b * LANES);
        seen |= (uint64_t)_mm512_cmp_ps_mask(added[b], _mm512_set1_ps(-INFINITY), _CMP_NEQ_UQ) << (b * LANES);
    }
    return seen;
}

/* One query's n heads that share keys and values; n a constant where this is called. */
INLINED void attend(const int n, const Item *item, float (*out)[WIDTH]) {
    float highest[HEADS], mass[HEADS] = {0};
    for (int h = 0; h < n; h++) highest[h] = -INFINITY;
    memset(out, 0, n * sizeof *out);
    for (int64_t at = 0; at < item->cells; at += CELLS) {
        __m512 scores[CELLS / LANES][HEADS], added[CELLS / LANES];
        float weights[HEADS][CELLS];
        uint64_t seen = open(item, at, added);
        if (!seen) continue;
        for (int b = 0; b < CELLS / LANES; b++) {
            __mmask16 here = (__mmask16)(seen >> (b * LANES));
            if (here) score(n, item, item->keys + (at + b * LANES) * item->key_stride, scores[b]);
#pragma GCC unroll 4
            for (int h = 0; h < n; h++) {
                __m512 s = here ? scores[b][h] : _mm512_setzero_ps();
                if (item->mask) s = _mm512_add_ps(s, added[b]);
                scores[b][h] = _mm512_mask_blend_ps(here, _mm512_set1_ps(-INFINITY), s);
            }
        }
        for (int h = 0; h < n; h++) {
            __m512 top = scores[0][h], sum = _mm512_setzero_ps();
            for (int b = 1; b < CELLS / LANES; b++) top = _mm512_max_ps(top, scores[b][h]);
            float new = _mm512_reduce_max_ps(top);
            if (new > highest[h]) {
                __m512 shrink = exp_nonpositive(_mm512_set1_ps(highest[h] - new));
                for (int d = 0; d < item->width; d += LANES)
                    _mm512_storeu_ps(out[h] + d, _mm512_mul_ps(_mm512_loadu_ps(out[h] + d), shrink));
                mass[h] *= _mm512_cvtss_f32(shrink);
                highest[h] = new;
            }
            for (int b = 0; b < CELLS / LANES; b++) {
                __m512 weight = exp_nonpositive(_mm512_sub_ps(scores[b][h], _mm512_set1_ps(highest[h])));
                _mm512_storeu_ps(weights[h] + b * LANES, weight);
                sum = _mm512_add_ps(sum, weight);
            }
            mass[h] += _mm512_reduce_add_ps(sum);
        }
        weigh(n, item, item->values + at * item->value_stride, seen, weights, out);
    }
    for (int h = 0; h < n; h++) {
        __m512 share = _mm512_set1_ps(mass[h] == 0 ? 0 : 1 / mass[h]);
        for (int d = 0; d < item->width; d += LANES)
            _mm512_storeu_ps(out[h] + d, _mm512_mul_ps(_mm512_loadu_ps(out[h] + d), share));
    }
}

VNNI static void attend_some(int n, const Item *item, float (*out)[WIDTH]) {
    switch (n) {
    case 1: attend(1, item, out); break;
    case 2: attend(2, item, out); break;
    case 3: attend(3, item, out); break;
    default: attend(4, item, out);
    }
}

bool clew_attention(const Params *params, Tensor *out) {
    const Tensor *q = out->src[0], *k = out->src[1], *v = out->src[2], *mask = out->src[3], *sinks = out->src[4];
    float settings[3]; /* scale, the slope of ALiBi, and the cap of scores */
    memcpy(settings, out->op_params, sizeof settings);
    int64_t width = q->size[0], queries = q->size[1], heads = q->size[2], sequences = q->size[3], groups = k->size[2];
    bool plain = settings[1] == 0 && settings[2] == 0 && !sinks && q->type == F32 && k->type == F16 && v->type == F16 &&
                 (!mask || (mask->type == F16 && mask->size[0] >= k->size[1] && mask->size[2] == 1));
    bool fits = v->size[0] == width && width <= WIDTH && width % (SPAN * LANES) == 0 && k->size[1] % CELLS == 0 &&
                v->size[2] == groups && k->size[3] == sequences && v->size[3] == sequences;
    if (!plain || !fits) return false;
    int64_t shared = heads / groups, at_once = queries * groups * sequences < params->threads ? 1 : HEADS;
    int64_t parts = (shared + at_once - 1) / at_once;
    for (int64_t i = params->thread; i < parts * groups * queries * sequences; i += params->threads) {
        int64_t group = i / parts % groups, query = i / parts / groups % queries, sequence = i / parts / groups / queries;
        int64_t begin = i % parts * at_once, first = group * shared + begin;
        int n = (int)(shared - begin < at_once ? shared - begin : at_once);
        Item item = {.key_stride = k->stride[1], .value_stride = v->stride[1], .cells = k->size[1], .width = (int)width,
                     .scale = settings[0], .keys = k->data + group * k->stride[2] + sequence * k->stride[3],
                     .values = v->data + group * v->stride[2] + sequence * v->stride[3]};
        if (mask)
            item.mask = (const uint16_t *)(mask->data + query * mask->stride[1] +
                                           sequence % mask->size[3] * mask->stride[3]);
        const char *row = q->data + query * q->stride[1] + first * q->stride[2] + sequence * q->stride[3];
        for (int h = 0; h < n; h++) item.query[h] = (const float *)(row + h * q->stride[2]);
        float found[HEADS][WIDTH];
        attend_some(n, &item, found);
        char *to = out->data + ((sequence * queries + query) * heads + first) * out->stride[1];
        for (int h = 0; h < n; h++) memcpy(to + h * out->stride[1], found[h], width * sizeof(float));
    }
    return true;
}

#else
bool clew_attention(const Params *params, Tensor *out) {
    (void)params, (void)out;
    return false;
}
#endif
