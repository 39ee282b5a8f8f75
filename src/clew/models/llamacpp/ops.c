/* Operations of llama.cpp that clew computes itself: the library's calls are answered here.
 *
 * libggml-cpu calls these two functions by name, and on Linux a library that was loaded earlier and globally answers to a
 * name before it does (`ops.py` loads this one so). What is not done here is handed on. */
#include <stdatomic.h>

#include "ops.h"

bool llamafile_sgemm(const Params *params, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                     int64_t ldb, void *c, int64_t ldc, int a_type, int b_type, int c_type);
void ggml_compute_forward_flash_attn_ext(const Params *params, Tensor *out);
bool clew_ops_usable(void);
void clew_ops_start(Sgemm sgemm, Attention attention, bool use);
void clew_ops_counts(int64_t counts[2]);

static Sgemm their_sgemm;
static Attention their_attention;
static bool in_use;
static atomic_llong products, attentions;

/* Whether the processor has what the operations here need. */
bool clew_ops_usable(void) {
#ifdef CLEW_VNNI
    return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
#else
    return false;
#endif
}

/* The functions to hand on to. use: false to hand everything on. */
void clew_ops_start(Sgemm sgemm, Attention attention, bool use) {
    their_sgemm = sgemm;
    their_attention = attention;
    in_use = use && clew_ops_usable();
}

/* Products and attentions computed here since the start of the process. */
void clew_ops_counts(int64_t counts[2]) {
    counts[0] = atomic_load(&products);
    counts[1] = atomic_load(&attentions);
}

bool llamafile_sgemm(const Params *params, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                     int64_t ldb, void *c, int64_t ldc, int a_type, int b_type, int c_type) {
    bool ours = in_use && a_type == Q8_0 && b_type == Q8_0 && c_type == F32;
    if (ours && clew_matmul(params, m, n, k, a, lda, b, ldb, c, ldc)) {
        if (params->thread == 0) atomic_fetch_add_explicit(&products, 1, memory_order_relaxed);
        return true;
    }
    return their_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
}

void ggml_compute_forward_flash_attn_ext(const Params *params, Tensor *out) {
    if (in_use && clew_attention(params, out)) {
        if (params->thread == 0) atomic_fetch_add_explicit(&attentions, 1, memory_order_relaxed);
    } else {
        their_attention(params, out);
    }
}
