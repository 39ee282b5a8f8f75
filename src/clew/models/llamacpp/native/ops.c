/* Operations of llama.cpp that clew computes itself: how its library is made to call them.
 *
 * libggml-cpu calls its own exported functions through slots that the dynamic linker fills (the procedure linkage table
 * of the System V ABI). Two of its slots are filled anew here; no other library is touched. What is not done here is
 * handed on to the functions that stood there. */
#define _GNU_SOURCE
#include "ops.h"

#include <stdatomic.h>

bool clew_ops_usable(void);
bool clew_ops_start(void *handle, bool use);
void clew_ops_counts(int64_t counts[2]);

static atomic_llong products, attentions;

/* Products and attentions computed here since the start of the process. */
void clew_ops_counts(int64_t counts[2]) {
    counts[0] = atomic_load(&products);
    counts[1] = atomic_load(&attentions);
}

#if defined(CLEW_VNNI) && defined(__linux__)
#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

typedef bool (*Sgemm)(const Params *, int64_t, int64_t, int64_t, const void *, int64_t, const void *, int64_t, void *,
                      int64_t, int, int, int);
typedef void (*Attention)(const Params *, Tensor *);

static Sgemm their_sgemm;
static Attention their_attention;

static bool sgemm(const Params *params, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                  int64_t ldb, void *c, int64_t ldc, int a_type, int b_type, int c_type) {
    bool ours = a_type == Q8_0 && b_type == Q8_0 && c_type == F32;
    if (!ours || !clew_matmul(params, m, n, k, a, lda, b, ldb, c, ldc))
        return their_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
    if (params->thread == 0) atomic_fetch_add_explicit(&products, 1, memory_order_relaxed);
    return true;
}

static void attention(const Params *params, Tensor *out) {
    if (!clew_attention(params, out)) {
        their_attention(params, out);
    } else if (params->thread == 0) {
        atomic_fetch_add_explicit(&attentions, 1, memory_order_relaxed);
    }
}

static void **slot_in(const struct link_map *library, const ElfW(Rela) * table, size_t size, const ElfW(Sym) * symbols,
                      const char *names, const char *name) {
    for (size_t i = 0; i < size / sizeof *table; i++) {
        unsigned kind = ELF64_R_TYPE(table[i].r_info);
        if (kind != R_X86_64_JUMP_SLOT && kind != R_X86_64_GLOB_DAT) continue;
        if (strcmp(names + symbols[ELF64_R_SYM(table[i].r_info)].st_name, name) == 0)
            return (void **)(library->l_addr + table[i].r_offset);
    }
    return NULL;
}

/* Where a library keeps the address of a function that it calls by name; NULL where it does not. */
static void **slot_of(const struct link_map *library, const char *name) {
    ElfW(Addr) entries[DT_JMPREL + 1] = {0};
    for (const ElfW(Dyn) *entry = library->l_ld; entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag >= 0 && entry->d_tag <= DT_JMPREL) entries[entry->d_tag] = entry->d_un.d_ptr;
    const ElfW(Sym) *symbols = (const void *)entries[DT_SYMTAB];
    const char *names = (const void *)entries[DT_STRTAB];
    /* glibc has made these absolute; where another libc has not, nothing is replaced. */
    if ((ElfW(Addr))symbols < library->l_addr) return NULL;
    void **slot = slot_in(library, (const void *)entries[DT_JMPREL], entries[DT_PLTRELSZ], symbols, names, name);
    return slot ? slot : slot_in(library, (const void *)entries[DT_RELA], entries[DT_RELASZ], symbols, names, name);
}

static bool fill(void **slot, void *function) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *start = (void *)((uintptr_t)slot / page * page);
    if (mprotect(start, page, PROT_READ | PROT_WRITE)) return false;
    *slot = function;
    return true;
}

/* Whether the processor has what the operations here need. */
bool clew_ops_usable(void) {
    return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}

/* Make a library (what `dlopen` gave) call the operations here, or with `use` false its own again; whether it does. */
bool clew_ops_start(void *handle, bool use) {
    const char *const names[2] = {"llamafile_sgemm", "ggml_compute_forward_flash_attn_ext"};
    void *own[2], **slots[2];
    struct link_map *library;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &library)) return false;
    for (int i = 0; i < 2; i++) {
        own[i] = dlsym(handle, names[i]);
        slots[i] = slot_of(library, names[i]);
        if (!own[i] || !slots[i]) return false;
    }
    memcpy(&their_sgemm, &own[0], sizeof own[0]);
    memcpy(&their_attention, &own[1], sizeof own[1]);
    Sgemm our_sgemm = sgemm;
    Attention our_attention = attention;
    if (use) {
        memcpy(&own[0], &our_sgemm, sizeof own[0]);
        memcpy(&own[1], &our_attention, sizeof own[1]);
    }
    return fill(slots[0], own[0]) && fill(slots[1], own[1]) && use;
}

#else
bool clew_ops_usable(void) { return false; }

bool clew_ops_start(void *handle, bool use) {
    (void)handle, (void)use;
    return false;
}
#endif
