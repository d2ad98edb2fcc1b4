// Kernel tests are written once over the backends of this build:
//
//   template <typename Ctx>
//   class ReluTest : public BackendTest<Ctx> {};
//   TYPED_TEST_SUITE(ReluTest, Backends, BackendNames);
//
//   TYPED_TEST(ReluTest, ...) {
//     const auto x = this->upload(random_floats(size, /*seed=*/1));
//     auto y = this->poisoned(size);
//     relu_forward(this->ctx(), size, x.data(), y.data());
//     EXPECT_TRUE(all_close(y.read(), ...));
//   }
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <variant>
#include <vector>

#include "kernels/context.h"
#include "tests/support/backend.h"
#include "tests/support/guarded.h"

namespace gradflip {

template <typename Variant>
struct AlternativesOf;
template <typename... Contexts>
struct AlternativesOf<std::variant<Contexts...>> {
  using Types = testing::Types<Contexts...>;
};

using Backends = AlternativesOf<Context>::Types;

struct BackendNames {
  template <typename Ctx>
  static std::string GetName(int /*index*/) {
    return Backend<Ctx>::kName;
  }
};

template <typename Ctx>
class BackendTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string reason = Backend<Ctx>::unavailable();
    if (reason.empty()) return;
    // Without this a machine whose GPU has gone would report that all tests passed.
    ASSERT_EQ(std::getenv("GRADFLIP_REQUIRE_CUDA"), nullptr) << reason;
    GTEST_SKIP() << reason;
  }

  Ctx ctx() const { return Backend<Ctx>::context(); }

  // An input, or an output with old contents.
  template <typename T>
  GuardedBuffer<T, Ctx> upload(const std::vector<T>& contents, Base base = Base::kAligned) const {
    return GuardedBuffer<T, Ctx>(contents, base);
  }

  // An output: this->poisoned(size), this->template poisoned<std::int32_t>(size).
  template <typename T = float>
  GuardedBuffer<T, Ctx> poisoned(std::int64_t size, Base base = Base::kAligned) const {
    return GuardedBuffer<T, Ctx>(size, base);
  }
};

}  // namespace gradflip
