#include "kernels/fill_labels.h"

#include <gtest/gtest.h>

#include "tests/support/backends.h"

namespace gradflip {
namespace {

template <typename Ctx>
class FillLabelsTest : public BackendTest<Ctx> {};
TYPED_TEST_SUITE(FillLabelsTest, Backends, BackendNames);

TYPED_TEST(FillLabelsTest, EveryRowGetsTheLabel) {
  for (const std::int64_t size : {0, 1, 7, 256, 257, 1000}) {
    auto out = this->template poisoned<std::int32_t>(size, Base::kOffByOne);
    fill_labels(this->ctx(), size, -3, out.data());
    EXPECT_EQ(out.read(), std::vector<std::int32_t>(static_cast<std::size_t>(size), -3));
  }
}

}  // namespace
}  // namespace gradflip
