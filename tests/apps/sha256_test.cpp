// Known answers: FIPS 180-4 examples and their usual companions.

#include "apps/common/data/sha256.h"

#include <gtest/gtest.h>

#include <span>
#include <string>

namespace gradflip {
namespace {

std::string sum_of(const std::string& text) { return sha256_hex(std::as_bytes(std::span(text))); }

TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(sum_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sum_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sum_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sum_of("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmn"
                   "opqklmnopqrlmnopqrsmnopqrstnopqrstu"),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  EXPECT_EQ(sum_of(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesGiveTheSumOfTheWhole) {
  // Lengths on both sides of a block and of the place where the length no longer fits it.
  for (const std::size_t length : {55U, 56U, 57U, 63U, 64U, 65U, 119U, 120U, 128U, 200U}) {
    SCOPED_TRACE(length);
    const std::string text(length, 'x');
    const auto bytes = std::as_bytes(std::span(text));
    for (const std::size_t cut : {0U, 1U, 31U, 54U}) {
      Sha256 sum;
      sum.update(bytes.first(cut));
      sum.update(bytes.subspan(cut));
      EXPECT_EQ(sum.hex(), sum_of(text));
    }
  }
}

TEST(Sha256, MoreMayFollowASum) {
  const std::string text = "abc";
  Sha256 sum;
  sum.update(std::as_bytes(std::span(text).first(1)));
  EXPECT_EQ(sum.hex(), sum_of("a"));
  sum.update(std::as_bytes(std::span(text).subspan(1)));
  EXPECT_EQ(sum.hex(), sum_of("abc"));
}

}  // namespace
}  // namespace gradflip
