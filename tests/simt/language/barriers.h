// Barriers and fences.
#pragma once

#include "tests/simt/device.h"

inline void __syncthreads(SIMT_SITE) {
  simt::block_barrier(simt::BlockBarrier::kPlain, 0, SIMT_SITE_ARGUMENT);
}
inline int __syncthreads_and(int predicate, SIMT_SITE) {
  return simt::block_barrier(simt::BlockBarrier::kAnd, predicate, SIMT_SITE_ARGUMENT);
}
inline int __syncthreads_or(int predicate, SIMT_SITE) {
  return simt::block_barrier(simt::BlockBarrier::kOr, predicate, SIMT_SITE_ARGUMENT);
}
inline int __syncthreads_count(int predicate, SIMT_SITE) {
  return simt::block_barrier(simt::BlockBarrier::kCount, predicate, SIMT_SITE_ARGUMENT);
}
inline void __syncwarp(unsigned mask = 0xffffffffU, SIMT_SITE) {
  simt::warp_barrier(mask, SIMT_SITE_ARGUMENT);
}

inline void __threadfence() { simt::fence(); }
inline void __threadfence_system() { simt::fence(); }
// Orders only what one thread does; between threads of a block nothing but a barrier counts here.
inline void __threadfence_block() {}
