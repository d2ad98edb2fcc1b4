// What memory.cpp needs of a backend; memory_cpu.cpp and memory_cuda.cpp define it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/context.h"

namespace gradflip {

// `bytes` > 0 zeroed bytes, aligned to 64.
std::byte* allocate(Cpu ctx, std::int64_t bytes);
std::byte* allocate(Cuda ctx, std::int64_t bytes);

void release(Cpu ctx, std::byte* memory) noexcept;
void release(Cuda ctx, std::byte* memory) noexcept;

// `bytes` > 0; enqueued.
void copy_within(Cpu ctx, void* to, const void* from, std::int64_t bytes);
void copy_within(Cuda ctx, void* to, const void* from, std::int64_t bytes);

// `bytes` > 0; complete when they return, and after everything enqueued before.
void copy_from_host(Cpu ctx, void* to, const void* from, std::int64_t bytes);
void copy_from_host(Cuda ctx, void* to, const void* from, std::int64_t bytes);
void copy_to_host(Cpu ctx, void* to, const void* from, std::int64_t bytes);
void copy_to_host(Cuda ctx, void* to, const void* from, std::int64_t bytes);

}  // namespace gradflip
