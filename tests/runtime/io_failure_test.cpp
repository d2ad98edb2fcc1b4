#include "runtime/io_failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <new>

#include "runtime/errors.h"

namespace gradflip {
namespace {

using testing::MatchesRegex;
using testing::ThrowsMessage;

TEST(IoFailureTest, SaysWhatWhereWhyAndHowToMendIt) {
  for (const int error :
       {EACCES, ENOENT, ENOSPC, EFBIG, EMFILE, ENAMETOOLONG, ELOOP, EIO, EINVAL}) {
    EXPECT_THAT([&] { throw_io_failure("cannot read", "a/file", error); },
                ThrowsMessage<IoError>(MatchesRegex("cannot read a/file: [^;\n]+; [^;\n]+")));
  }
  EXPECT_THAT([] { throw_io_failure("cannot write", "x", ENAMETOOLONG); },
              ThrowsMessage<IoError>("cannot write x: File name too long; choose a shorter name"));
}

TEST(IoFailureTest, WantOfMemoryIsNoMatterOfTheFile) {
  EXPECT_THROW(throw_io_failure("cannot read", "a/file", ENOMEM), std::bad_alloc);
}

}  // namespace
}  // namespace gradflip
