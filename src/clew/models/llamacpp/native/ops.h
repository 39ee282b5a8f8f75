/* What the replaced operations of llama.cpp have in common: its types, as version 0.25 of ggml lays them out. */
#ifndef CLEW_OPS_H
#define CLEW_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define CLEW_VNNI
#include <immintrin.h>
#include <string.h>
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")))
#define INLINED static inline __attribute__((always_inline)) VNNI
#endif

enum { F32 = 0, F16 = 1, Q8_0 = 8 }; /* ggml_type */

typedef struct { /* the head of ggml_compute_params: every thread calls with its own number */
    int thread, threads;
} Params;

typedef struct Tensor { /* the head of ggml_tensor */
    int type;
    void *buffer;
    int64_t size[4];  /* innermost first */
    size_t stride[4]; /* in bytes */
    int op;
    int32_t op_params[16];
    int32_t flags;
    struct Tensor *src[10];
    struct Tensor *view_src;
    size_t view_offset;
    char *data;
} Tensor;

/* False where it is not done here; then nothing is written. */
bool clew_matmul(const Params *params, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                 int64_t ldb, void *c, int64_t ldc);
bool clew_attention(const Params *params, Tensor *out);

#endif
