// A program of somebody else's that uses the installed kernels: a convolution block as its feature
// extractor, and the merge of two heads' gradients with the domain head's reversed. Fails unless
// the numbers are right.

#include <array>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <vector>

#include "kernels/conv_block.h"
#include "kernels/gemm.h"

namespace {

using gradflip::Cpu;

int expect(const char* what, const std::vector<float>& got, const std::vector<float>& want) {
  if (got == want) return 0;
  std::fprintf(stderr, "%s is wrong:", what);
  for (const float value : got) std::fprintf(stderr, " %g", static_cast<double>(value));
  std::fprintf(stderr, "\n");
  return 1;
}

// Pixels 0 to 15 in rows of four, filter 1, bias -6: the four maxima are 5, 7, 13, 15 before the
// bias.
int features() {
  gradflip::ConvBlockShape shape;
  shape.conv = {.N = 1, .H = 4, .W = 4, .C = 1, .K = 1, .R = 1, .S = 1};
  std::vector<float> x(16);
  std::iota(x.begin(), x.end(), 0.0F);
  const float filter = 1.0F;
  const float bias = -6.0F;
  std::vector<float> pooled(4);
  std::vector<std::uint8_t> winner(4);
  constexpr std::size_t kAlignment = 64;
  struct alignas(kAlignment) Line {
    std::array<std::byte, kAlignment> bytes;
  };
  const auto bytes = static_cast<std::size_t>(gradflip::conv_block_workspace_bytes(shape));
  std::vector<Line> workspace(bytes / kAlignment + 1);
  gradflip::conv_block_forward(Cpu{}, shape, x.data(), &filter, &bias, pooled.data(), winner.data(),
                               workspace.data());
  return expect("pooled", pooled, {0.0F, 1.0F, 7.0F, 9.0F});
}

// The source image's row gets its label gradient less half of its domain gradient; the target's
// only the latter.
int reversed_gradient() {
  const std::vector<float> dlabel = {1.0F, 2.0F};                    // (1, 2)
  const std::vector<float> ddomain = {4.0F, 8.0F};                   // (2, 1)
  const std::vector<float> label_weight = {1.0F, 0.0F, 0.0F, 1.0F};  // (2, 2)
  const std::vector<float> domain_weight = {1.0F, 3.0F};             // (1, 2)
  const float lambda = 0.5F;
  const std::array<gradflip::GemmTerm, 2> terms = {{
      {.a = dlabel.data(), .b = label_weight.data(), .row_begin = 0, .M = 1, .K = 2, .scale = {}},
      {.a = ddomain.data(),
       .b = domain_weight.data(),
       .row_begin = 0,
       .M = 2,
       .K = 1,
       .scale = {.factor = -1.0F, .times = &lambda}},
  }};
  std::vector<float> dfeatures(4);
  gradflip::gemm_terms(Cpu{}, 2, 2, terms, dfeatures.data());
  return expect("dfeatures", dfeatures, {-1.0F, -4.0F, -4.0F, -12.0F});
}

}  // namespace

int main() { return features() + reversed_gradient(); }
