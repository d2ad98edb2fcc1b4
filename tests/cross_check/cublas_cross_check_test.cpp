#include <array>

#include "tests/cross_check/cross_check.h"
#include "tests/cross_check/cublas_gemm.h"

namespace gradflip {
namespace {

struct Size {
  std::int64_t M, N, K;
};

// The heads of the paper's network at large batches, a square, and sizes that fit no tile.
constexpr Size kSizes[] = {{4096, 100, 768}, {4096, 768, 100}, {100, 768, 4096},
                           {4096, 10, 100},  {4096, 1, 100},   {512, 512, 512},
                           {1000, 333, 777}, {129, 65, 2049},  {1, 1, 10'000}};

std::string name_of(const GemmShape& shape) {
  return std::string(text_of(shape.math)) + " " +
         testing::PrintToString(std::vector<std::int64_t>{shape.M, shape.N, shape.K,
                                                          shape.transpose_a, shape.transpose_b});
}

class CublasCrossCheckTest : public CrossCheckTest {
 protected:
  using Values = std::vector<float>;

  Values ours(const GemmShape& shape, const Values& a, const Values& b, float alpha,
              const Values& old_c, Write write) {
    const auto a_memory = upload(a), b_memory = upload(b);
    auto c = upload(old_c);
    gemm(ctx(), shape, Scale{alpha}, a_memory.data(), b_memory.data(), write, c.data());
    return c.read();
  }

  Values theirs(const GemmShape& shape, const Values& a, const Values& b, float alpha,
                const Values& old_c, Write write) {
    const auto a_memory = upload(a), b_memory = upload(b);
    auto c = upload(old_c);
    const Cublas cublas(ctx());
    cublas.gemm(shape, alpha, a_memory.data(), b_memory.data(),
                write == Write::kAccumulate ? 1.0F : 0.0F, c.data());
    return c.read();
  }

  void compare(const GemmShape& shape, float alpha, Write write) {
    SCOPED_TRACE(name_of(shape));
    const Values a = random_floats(shape.M * shape.K, 1), b = random_floats(shape.K * shape.N, 2);
    const Values c = random_floats(shape.M * shape.N, 3);
    EXPECT_TRUE(
        agree(ours(shape, a, b, alpha, c, write), theirs(shape, a, b, alpha, c, write),
              theirs(shape, magnitudes(a), magnitudes(b), std::abs(alpha), magnitudes(c), write),
              sum_tolerance(shape.math)));
  }
};

TEST_F(CublasCrossCheckTest, GemmOfEveryTranspose) {
  for (const Size& size : kSizes) {
    for (const Math math : kMaths) {
      for (const bool transpose_a : {false, true}) {
        for (const bool transpose_b : {false, true}) {
          compare({size.M, size.N, size.K, transpose_a, transpose_b, math}, 1.0F,
                  Write::kOverwrite);
        }
      }
    }
  }
}

TEST_F(CublasCrossCheckTest, GemmScalesAndAccumulates) {
  for (const Math math : kMaths) {
    compare({777, 129, 300, false, true, math}, -0.7F, Write::kAccumulate);
  }
}

// The gradient of features that a label predictor reads in part and a reversed domain classifier
// reads whole: our one launch against their two products.
TEST_F(CublasCrossCheckTest, GemmTermsOfTheGradientReversal) {
  constexpr std::int64_t kRows = 4096, kLabelled = 2048, kFeatures = 768, kWidth = 100;
  constexpr float kLambda = 0.7F;
  const Values dlabel = random_floats(kLabelled * kWidth, 1);
  const Values ddomain = random_floats(kRows * kWidth, 2);
  const Values label_weight = random_floats(kWidth * kFeatures, 3);
  const Values domain_weight = random_floats(kWidth * kFeatures, 4);
  for (const Math math : kMaths) {
    SCOPED_TRACE(text_of(math));
    const auto a0 = upload(dlabel), b0 = upload(label_weight);
    const auto a1 = upload(ddomain), b1 = upload(domain_weight);
    const auto lambda = upload(Values{kLambda});
    auto merged = poisoned(kRows * kFeatures);
    const std::array<GemmTerm, 2> terms{
        {{a0.data(), b0.data(), 0, kLabelled, kWidth, Scale{}},
         {a1.data(), b1.data(), 0, kRows, kWidth, Scale{-1.0F, lambda.data()}}}};
    gemm_terms(ctx(), kRows, kFeatures, terms, math, merged.data());

    // Theirs: the domain's product first, the label's added to its rows.
    const auto sum = [&](const Values& label_a, const Values& label_b, const Values& domain_a,
                         const Values& domain_b, float factor) {
      Values all = theirs({kRows, kFeatures, kWidth, false, false, math}, domain_a, domain_b,
                          factor, Values(kRows * kFeatures), Write::kOverwrite);
      const Values rows(all.begin(), all.begin() + kLabelled * kFeatures);
      const Values labelled = theirs({kLabelled, kFeatures, kWidth, false, false, math}, label_a,
                                     label_b, 1.0F, rows, Write::kAccumulate);
      std::copy(labelled.begin(), labelled.end(), all.begin());
      return all;
    };
    EXPECT_TRUE(agree(merged.read(), sum(dlabel, label_weight, ddomain, domain_weight, -kLambda),
                      sum(magnitudes(dlabel), magnitudes(label_weight), magnitudes(ddomain),
                          magnitudes(domain_weight), kLambda),
                      sum_tolerance(math)));
  }
}

}  // namespace
}  // namespace gradflip
