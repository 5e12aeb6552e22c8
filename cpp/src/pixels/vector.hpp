// A mark for loops over integers: compiled for AVX2 too, and chosen when the program starts.
//
// Only for integers, which come out the same whatever the width of the registers.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)  // the choice is made before the sanitizer has started
#define RESIDUA_VECTOR __attribute__((target_clones("avx2", "default")))
#else
#define RESIDUA_VECTOR
#endif
