#include "runtime/shard_sums.h"

#include <algorithm>
#include <atomic>

#include "kernels/shard_sums.h"
#include "runtime/sharding.h"

namespace gradflip {
namespace {

static_assert(kCpuCut.max_shards <= kMaxShardRows);

constexpr std::int64_t kAlignFloats = 16;

std::int64_t aligned(std::int64_t floats) {
  return (floats + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
}

bool follows(const ShardSum& next, const ShardSum& sum) {
  const std::int64_t floats = aligned(sum.size);
  return next.offset == sum.offset + floats * static_cast<std::int64_t>(sizeof(float)) &&
         next.total == sum.total + floats && next.gradient == sum.gradient;
}

// On whichever thread: the least index stays.
void report(const GradientWatch& watch, const float* gradient) {
  const auto index = static_cast<std::uint64_t>(gradient - watch.gradients);
  const std::atomic_ref<std::uint64_t> first(watch.state->first_non_finite);
  std::uint64_t known = first.load(std::memory_order_relaxed);
  while (index < known && !first.compare_exchange_weak(known, index, std::memory_order_relaxed)) {
  }
}

}  // namespace

std::vector<ShardSum> chunks_of(std::vector<ShardSum> sums, std::int64_t chunk_floats) {
  std::sort(sums.begin(), sums.end(),
            [](const ShardSum& a, const ShardSum& b) { return a.offset < b.offset; });
  std::vector<ShardSum> joined;
  for (const ShardSum& sum : sums) {
    if (!joined.empty() && follows(sum, joined.back())) {
      joined.back().size = aligned(joined.back().size) + sum.size;
    } else {
      joined.push_back(sum);
    }
  }
  std::vector<ShardSum> chunks;
  for (const ShardSum& sum : joined) {
    for (std::int64_t begin = 0; begin < sum.size; begin += chunk_floats) {
      chunks.push_back({sum.offset + begin * static_cast<std::int64_t>(sizeof(float)),
                        std::min(chunk_floats, sum.size - begin), sum.total + begin, sum.gradient});
    }
  }
  return chunks;
}

ShardSums::ShardSums(const Context& context, std::int64_t block_bytes, std::int64_t shards)
    : block_bytes_(block_bytes), blocks_(context, block_bytes * shards) {}

void ShardSums::add_up(std::span<const ShardSum> chunks, std::int64_t shards,
                       const GradientWatch& watch, Workers& workers,
                       LaunchObserver* observer) const {
  const std::int64_t stride = block_bytes_ / static_cast<std::int64_t>(sizeof(float));
  workers.for_each(static_cast<std::int64_t>(chunks.size()), [&](int worker, std::int64_t index) {
    observed(observer, worker, LaunchObserver::kReduction, [&] {
      const ShardSum& chunk = chunks[static_cast<std::size_t>(index)];
      const auto* first = reinterpret_cast<const float*>(part(0, chunk.offset));
      // Only a CPU's batches are cut.
      const std::int64_t odd = add_shards(Cpu{}, shards, stride, chunk.size, first, chunk.total);
      if (chunk.gradient && odd < chunk.size) report(watch, chunk.total + odd);
    });
  });
}

}  // namespace gradflip
