// Decomposition  row by row: a vector of Philox blocks gives four vectors of words, which are those
//                of four stretches of the row's units. Where units have pixels the row's factors are
//                made once, in pieces.
// Cost           about ten multiply-and-add rounds for every four values; memory otherwise.
#include "kernels/dropout.h"

#include <algorithm>

#include "kernels/require.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dropout.cpp"
#include "kernels/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace gradflip::HWY_NAMESPACE {
namespace {

using WordTag = hn::RebindToUnsigned<FloatTag>;
using Words = hn::Vec<WordTag>;

struct Products {
  Words high, low;
};

// Both halves of the 64-bit products of a lane's word and `factor`.
HWY_INLINE Products multiply(Words words, std::uint32_t factor) {
  const WordTag d;
#if HWY_TARGET == HWY_SCALAR
  const std::uint64_t product = std::uint64_t{hn::GetLane(words)} * factor;
  return {hn::Set(d, static_cast<std::uint32_t>(product >> 32U)),
          hn::Set(d, static_cast<std::uint32_t>(product))};
#else
  using WideTag = hn::RepartitionToWide<WordTag>;
  const Words factors = hn::Set(d, factor);
  const auto even = hn::MulEven(words, factors);
  const auto odd_words = hn::ShiftRight<32>(hn::BitCast(WideTag(), words));
  const auto odd = hn::MulEven(hn::BitCast(d, odd_words), factors);
  const Words high = hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
  return {high, hn::Mul(words, factors)};
#endif
}

// philox.h's, of kLanes counters whose first words differ.
struct WordVectors {
  Words of[4];
};

HWY_INLINE WordVectors philox_vectors(Words blocks, const PhiloxCounter& rest, PhiloxKey key) {
  const WordTag d;
  WordVectors v{{blocks, hn::Set(d, rest[1]), hn::Set(d, rest[2]), hn::Set(d, rest[3])}};
  for (int round = 0; round < 10; ++round) {
    const Products product0 = multiply(v.of[0], 0xD2511F53U);
    const Products product1 = multiply(v.of[2], 0xCD9E8D57U);
    v = {{hn::Xor(hn::Xor(product1.high, v.of[1]), hn::Set(d, key[0])), product1.low,
          hn::Xor(hn::Xor(product0.high, v.of[3]), hn::Set(d, key[1])), product0.low}};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return v;
}

HWY_INLINE Floats dropped(Words words, Words threshold, Floats scale, Floats x) {
  const auto drop = hn::Lt(words, threshold);
  return hn::IfThenZeroElse(hn::RebindMask(FloatTag(), drop), hn::Mul(x, scale));
}

// Units [unit, unit + count) of every pixel.
HWY_INLINE void drop_units(const Dropout& dropout, std::int64_t unit, std::int64_t count,
                           Words words, Words threshold, Floats scale, const float* x, float* y) {
  for (std::int64_t pixel = 0; pixel < dropout.pixels; ++pixel) {
    const std::int64_t at = pixel * dropout.units + unit;
    if (count >= kLanes) {
      store(dropped(words, threshold, scale, load(x + at)), y + at);
    } else {
      store_first(count, dropped(words, threshold, scale, load_first(count, x + at)), y + at);
    }
  }
}

// Calls visit(segment, row) for every row, in order.
template <typename Visit>
HWY_INLINE void for_each_dropped_row(const DropoutRows& rows, const Visit& visit) {
  for (int run = 0; run < rows.runs; ++run) {
    const DropoutRows::Run& of = rows.run[run];
    for (std::int64_t i = 0; i < of.rows; ++i) visit(of.segment, of.begin + i);
  }
}

void dropout_simd(const Dropout& dropout, const DropoutRows& rows, std::int64_t step,
                  const float* x, float* y) {
  const WordTag d;
  const PhiloxKey key = dropout_key(dropout.seed, dropout.stream);
  const Words threshold = hn::Set(d, dropout_threshold(dropout.probability));
  const Floats scale = broadcast(dropout_scale(dropout.probability));
  const std::int64_t blocks = dropout_blocks(dropout.units);
  for_each_dropped_row(rows, [&](std::uint32_t segment, std::int64_t row) HWY_ATTR {
    const PhiloxCounter counter = dropout_counter(0, segment, row, step);
    for (std::int64_t block = 0; block < blocks; block += kLanes) {
      const WordVectors words =
          philox_vectors(hn::Iota(d, static_cast<std::uint32_t>(block)), counter, key);
      for (std::int64_t word = 0; word < 4; ++word) {
        const std::int64_t unit = word * blocks + block;
        const std::int64_t end = std::min((word + 1) * blocks, dropout.units);
        if (unit >= end) break;
        drop_units(dropout, unit, std::min(kLanes, end - unit), words.of[word], threshold, scale, x,
                   y);
      }
    }
    x += dropout.pixels * dropout.units;
    y += dropout.pixels * dropout.units;
  });
}

}  // namespace
}  // namespace gradflip::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradflip {

HWY_EXPORT(dropout_simd);

void require_valid(const Dropout& dropout, const DropoutRows& rows) {
  GRADFLIP_REQUIRE(
      dropout.probability >= 0.0 && dropout.probability < 1.0,
      message("dropout: a probability of ", dropout.probability, "; it must be in [0, 1)"));
  GRADFLIP_REQUIRE(dropout.units > 0 && dropout.pixels > 0,
                   message("dropout: rows of ", dropout.pixels, " pixels and ", dropout.units,
                           " units; both must be > 0"));
  GRADFLIP_REQUIRE(rows.runs >= 0 && rows.runs <= kMaxDropoutRuns,
                   message("dropout: ", rows.runs, " runs of rows, of at most ", kMaxDropoutRuns));
  for (int run = 0; run < rows.runs; ++run) {
    const DropoutRows::Run& of = rows.run[run];
    GRADFLIP_REQUIRE(of.rows >= 0 && of.begin >= 0,
                     message("dropout: ", of.rows, " rows from ", of.begin, "; both must be >= 0"));
  }
}

void dropout(Cpu /*ctx*/, const Dropout& dropout, const DropoutRows& rows, const std::int64_t* step,
             const float* x, float* y) {
  require_valid(dropout, rows);
  if (rows.rows() == 0) return;
  HWY_DYNAMIC_DISPATCH(dropout_simd)(dropout, rows, *step, x, y);
}

}  // namespace gradflip
#endif  // HWY_ONCE
