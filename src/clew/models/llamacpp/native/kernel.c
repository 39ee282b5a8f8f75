/* One fused pass over a row of logits: log-softmax, entropy, certainty, and the draw. Plain C, no Python inside.
 *
 * The reference is clew/models/draw.py; tests compare the two. Sums run in float32 within blocks of 256 tokens and in
 * float64 across them, so that the error stays near 1e-6 whatever the vocabulary. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

enum { BLOCK = 256, BINS = 1024, DEAD_END = -1, NOT_A_NUMBER = -2 };
#define FLOOR -100.0f /* as in draw.py: the least log-probability that certainty counts */

typedef struct {
    float value;
    int id;
} Candidate;

typedef struct {
    double exp_sum, weighted, plain; /* sums of e^d, d*e^d and d, where d = logit - maximum */
} Moments;

/* e^x for x <= 0, relative error below 2e-7; 0 below -87 (the Cephes polynomial, which compilers vectorise). */
static inline float exp_nonpositive(float x) {
    float c = x < -87.0f ? -87.0f : x;
    float n = rintf(c * 1.44269504088896341f);
    float r = c - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union {
        int i;
        float f;
    } scale = {.i = ((int)n + 127) << 23};
    return x < -87.0f ? 0.0f : p * scale.f;
}

typedef struct {
    float greatest, least; /* NaN left out; -INFINITY and INFINITY of nothing */
} Extremes;

CLONES static Extremes extremes(const float *x, int count) {
    float greatest = -INFINITY, least = INFINITY;
#pragma omp simd reduction(max : greatest) reduction(min : least)
    for (int i = 0; i < count; i++) {
        greatest = x[i] > greatest ? x[i] : greatest;
        least = x[i] < least ? x[i] : least;
    }
    return (Extremes){greatest, least};
}

CLONES static void moments_of_block(const float *x, int count, float top, Moments *m) {
    float e_sum = 0, weighted = 0, plain = 0;
    for (int i = 0; i < count; i++) {
        float d = x[i] - top;
        d = d < -1e30f ? -1e30f : d;
        float e = exp_nonpositive(d);
        e_sum += e;
        weighted += d * e;
        plain += d;
    }
    m->exp_sum += e_sum;
    m->weighted += weighted;
    m->plain += plain;
}

static double floored_sum(const float *x, int vocab, float top, float floor) {
    double sum = 0;
    for (int i = 0; i < vocab; i++) sum += x[i] - top < floor ? floor : x[i] - top;
    return sum;
}

CLONES static float mass_of_block(const float *x, int count, float top, float inverse_temperature) {
    float sum = 0;
    for (int i = 0; i < count; i++) sum += exp_nonpositive((x[i] - top) * inverse_temperature);
    return sum;
}

CLONES static void exps_of_block(const float *x, int count, float top, float inverse_temperature, float *out) {
    for (int i = 0; i < count; i++) out[i] = exp_nonpositive((x[i] - top) * inverse_temperature);
}

static int by_value(const void *a, const void *b) {
    const Candidate *p = a, *q = b;
    if (p->value != q->value) return p->value < q->value ? 1 : -1;
    return p->id - q->id;
}

static int by_id(const void *a, const void *b) { return ((const Candidate *)a)->id - ((const Candidate *)b)->id; }

static int bin_of(float d) {
    float b = -d * 16.0f;
    return b < BINS - 1 ? (int)b : BINS - 1;
}

/* The tokens that top-k, top-p and min-p may keep, the most probable first; returns how many they do keep.
 * A histogram over the logits bounds what has to be sorted. */
static int filtered(const float *x, int vocab, float top, float inverse_t, int top_k, float top_p, float min_p,
                    Candidate *kept) {
    double mass[BINS] = {0}, total = 0;
    int counts[BINS] = {0}, limit = BINS - 1;
    float lowest = min_p > 0 ? logf(min_p) : -INFINITY;
    if (top_k || top_p < 1) {
        float e[BLOCK];
        for (int start = 0; start < vocab; start += BLOCK) {
            int count = vocab - start < BLOCK ? vocab - start : BLOCK;
            exps_of_block(x + start, count, top, inverse_t, e);
            for (int i = 0; i < count; i++) {
                int bin = bin_of((x[start + i] - top) * inverse_t);
                counts[bin]++;
                mass[bin] += e[i];
                total += e[i];
            }
        }
        int seen = 0;
        double heavy = 0;
        for (limit = 0; limit < BINS - 1; limit++) {
            seen += counts[limit];
            heavy += mass[limit];
            if (top_k ? seen >= top_k : heavy >= (double)top_p * total + 1e-6 * total) break;
        }
    }
    int n = 0;
    for (int i = 0; i < vocab; i++) {
        float d = (x[i] - top) * inverse_t;
        if (d > -INFINITY && bin_of(d) <= limit && (top_k || d >= lowest)) kept[n++] = (Candidate){d, i};
    }
    qsort(kept, n, sizeof *kept, by_value);
    if (top_k && n > top_k) n = top_k;
    if (top_p < 1) {
        double before = 0, all = total;
        if (top_k) {
            all = 0;
            for (int i = 0; i < n; i++) all += exp(kept[i].value);
        }
        int keep = 0;
        while (keep < n && before < (double)top_p * all) before += exp(kept[keep++].value);
        n = keep;
    }
    while (n > 0 && kept[n - 1].value < lowest) n--;
    return n;
}

static int draw_filtered(const float *x, int vocab, float top, float inverse_t, int top_k, float top_p, float min_p,
                         double u, Candidate *scratch, float *proposal) {
    int n = filtered(x, vocab, top, inverse_t, top_k, top_p, min_p, scratch);
    double total = 0, cumulative = 0;
    for (int i = 0; i < n; i++) total += exp(scratch[i].value);
    qsort(scratch, n, sizeof *scratch, by_id);
    int pick = n - 1;
    for (int i = 0; i < n; i++) {
        cumulative += exp(scratch[i].value);
        if (cumulative > u * total) {
            pick = i;
            break;
        }
    }
    *proposal = (float)(scratch[pick].value - log(total));
    return scratch[pick].id;
}

static int draw_plain(const float *x, int vocab, float top, float inverse_t, double u, float *blocks, float *proposal) {
    double total = 0, before = 0;
    int count = (vocab + BLOCK - 1) / BLOCK, last = 0;
    for (int b = 0; b < count; b++) {
        int start = b * BLOCK;
        blocks[b] = mass_of_block(x + start, vocab - start < BLOCK ? vocab - start : BLOCK, top, inverse_t);
        total += blocks[b];
        if (blocks[b] > 0) last = b;
    }
    int block = 0;
    while (block < last && before + blocks[block] <= u * total) before += blocks[block++];
    float e[BLOCK];
    int start = block * BLOCK, size = vocab - start < BLOCK ? vocab - start : BLOCK, pick = -1;
    exps_of_block(x + start, size, top, inverse_t, e);
    for (int i = 0; i < size; i++) {
        if (e[i] > 0) {
            pick = i; /* rounding may carry u past the last token of its block: then the last possible one */
            before += e[i];
            if (before > u * total) break;
        }
    }
    *proposal = (float)((x[start + pick] - top) * inverse_t - log(total));
    return start + pick;
}

static void sink(Candidate *heap, int size, int i) {
    for (;;) {
        int worst = i;
        for (int child = 2 * i + 1; child <= 2 * i + 2 && child < size; child++)
            if (by_value(&heap[child], &heap[worst]) > 0) worst = child;
        if (worst == i) return;
        Candidate t = heap[i];
        heap[i] = heap[worst];
        heap[worst] = t;
        i = worst;
    }
}

/* The `count` greatest of the row in a heap whose first element is the least of them, then sorted; ties to the lower id. */
static void record_top(const float *x, int vocab, int count, double log_sum, Candidate *heap, int *ids, float *logprobs) {
    int n = count < vocab ? count : vocab;
    for (int i = 0; i < n; i++) heap[i] = (Candidate){x[i], i};
    for (int i = n / 2; i >= 0; i--) sink(heap, n, i);
    for (int i = n; i < vocab; i++)
        if (x[i] > heap[0].value) {
            heap[0] = (Candidate){x[i], i};
            sink(heap, n, 0);
        }
    qsort(heap, n, sizeof *heap, by_value);
    for (int i = 0; i < n; i++) {
        ids[i] = heap[i].id;
        logprobs[i] = (float)(heap[i].value - log_sum);
    }
}

/* For each row: its statistics, and a token drawn from `drawn` (which is `logits` itself unless something changed it).
 *
 * forced: a token to report instead of drawing one, or -1. stats: [rows, 4], logprob, entropy, certainty, proposal
 * logprob. top: [rows]; top_ids and top_logprob: [rows, top_stride]. ids: DEAD_END where no token is possible,
 * NOT_A_NUMBER where the logits hold a NaN. Returns 0, or 1 when memory ran out. */
int clew_sample(int rows, int vocab, const float *const *logits, const float *const *drawn, const float *temperature,
                const int *top_k, const float *top_p, const float *min_p, const double *uniform, const int *forced,
                int *ids, float *stats, const int *top, int top_stride, int *top_ids, float *top_logprob) {
    float *blocks = malloc(sizeof(float) * (vocab / BLOCK + 1));
    Candidate *scratch = malloc(sizeof(Candidate) * vocab);
    if (!blocks || !scratch) {
        free(blocks);
        free(scratch);
        return 1;
    }
    for (int row = 0; row < rows; row++) {
        const float *x = logits[row], *y = drawn[row];
        Extremes ends = extremes(x, vocab);
        float *out = stats + 4 * row, x_max = ends.greatest;
        Moments m = {0, 0, 0};
        for (int start = 0; start < vocab; start += BLOCK)
            moments_of_block(x + start, vocab - start < BLOCK ? vocab - start : BLOCK, x_max, &m);
        if (!(m.exp_sum > 0 && m.exp_sum < INFINITY)) {
            ids[row] = NOT_A_NUMBER;
            continue;
        }
        double log_sum = log(m.exp_sum);
        out[1] = (float)(log_sum - m.weighted / m.exp_sum);
        if (ends.least - x_max - log_sum < FLOOR) m.plain = floored_sum(x, vocab, x_max, (float)(FLOOR + log_sum));
        out[2] = (float)(log_sum - m.plain / vocab - log((double)vocab));
        if (top[row])
            record_top(x, vocab, top[row], x_max + log_sum, scratch, top_ids + (size_t)row * top_stride,
                       top_logprob + (size_t)row * top_stride);
        int id = forced[row];
        out[3] = 0;
        if (id < 0) {
            float y_max = y == x ? x_max : extremes(y, vocab).greatest;
            if (y_max == -INFINITY) {
                ids[row] = DEAD_END;
                out[0] = out[3] = -INFINITY;
                continue;
            }
            if (temperature[row] == 0) {
                id = 0;
                while (y[id] != y_max) id++;
            } else {
                float inverse_t = 1.0f / temperature[row];
                int k = top_k[row] < vocab ? top_k[row] : 0;
                if (k || top_p[row] < 1 || min_p[row] > 0)
                    id = draw_filtered(y, vocab, y_max, inverse_t, k, top_p[row], min_p[row], uniform[row], scratch, out + 3);
                else
                    id = draw_plain(y, vocab, y_max, inverse_t, uniform[row], blocks, out + 3);
            }
        }
        ids[row] = id;
        out[0] = (float)(x[id] - x_max - log_sum);
    }
    free(blocks);
    free(scratch);
    return 0;
}
