#include "apps/common/data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/errors.h"
#include "tests/apps/bytes.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

// "" if the file is accepted.
std::string idx_error_of(const Bytes& file, std::uint64_t max_values = kMaxIdxValues) {
  try {
    parse_idx(file, "some-file", max_values);
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

struct MalformedIdx {
  std::string what;
  Bytes file;
  std::string message;  // a part of it
};

void expect_idx_rejected(const std::vector<MalformedIdx>& cases) {
  for (const auto& [what, file, message] : cases) {
    SCOPED_TRACE(what);
    const std::string error = idx_error_of(file);
    EXPECT_THAT(error, HasSubstr(message));
    EXPECT_THAT(error, HasSubstr("some-file"));
    EXPECT_THAT(error, Not(HasSubstr("\n")));
  }
}

TEST(Idx, PlainAndCompressedFilesOfEveryRankAreRead) {
  for (const std::vector<std::uint32_t>& sizes :
       std::vector<std::vector<std::uint32_t>>{{7}, {2, 3, 5}, {2, 3, 5, 3}, {0}, {0, 28, 28}}) {
    std::size_t count = 1;
    for (const std::uint32_t size : sizes) count *= size;
    SCOPED_TRACE(testing::PrintToString(sizes));
    const Bytes file = idx_file(sizes, count);
    for (const Bytes& form : {file, gzip(file)}) {
      const IdxArray array = parse_idx(form, "some-file");
      EXPECT_EQ(array.sizes, std::vector<std::int64_t>(sizes.begin(), sizes.end()));
      ASSERT_EQ(array.values.size(), count);
      for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(array.values[i], i % 251);
    }
  }
}

TEST(Idx, ACompressedFileMayHaveSeveralMembersAndPadding) {
  const Bytes file = idx_file({3, 4, 2}, 24);
  for (std::size_t cut = 0; cut <= file.size(); ++cut) {
    SCOPED_TRACE(cut);
    const auto split = file.begin() + static_cast<std::ptrdiff_t>(cut);
    const Bytes first = gzip(Bytes(file.begin(), split)), second = gzip(Bytes(split, file.end()));
    for (const std::size_t zeros : {0U, 1U, 1000U}) {
      EXPECT_EQ(parse_idx(joined({first, second, Bytes(zeros)}), "some-file").values[23], 23);
    }
  }
}

TEST(Idx, FilesCutAnywhereAreTruncated) {
  const Bytes file = idx_file({3, 4, 2}, 24), compressed = gzip(file);
  for (std::size_t length = 0; length < file.size(); ++length) {
    EXPECT_THAT(idx_error_of(first_of(file, length)), HasSubstr("truncated")) << length;
  }
  // Below two bytes it does not look compressed.
  for (std::size_t length = 2; length < compressed.size(); ++length) {
    EXPECT_THAT(idx_error_of(first_of(compressed, length)), HasSubstr("truncated")) << length;
  }
  for (std::size_t length = 0; length < file.size(); ++length) {
    EXPECT_THAT(idx_error_of(gzip(first_of(file, length))), HasSubstr("truncated")) << length;
  }
}

TEST(Idx, MalformedFilesAreRejected) {
  const Bytes labels = idx_file({5}, 5), images = idx_file({2, 3, 3}, 18);
  expect_idx_rejected({
      {"first byte not zero", with_byte(labels, 0, 1), "starts with bytes 01 00"},
      {"second byte not zero", with_byte(labels, 1, 0xff), "starts with bytes 00 ff"},
      {"a text file", bytes_of({'<', 'h', 't', 'm', 'l', '>'}), "not an IDX file"},
      {"a PNG", png_file(1, 1, 1, {0}), "not an IDX file"},
      {"type 0", with_byte(labels, 2, 0), "IDX type 00"},
      {"signed bytes", with_byte(labels, 2, 0x09), "IDX type 09"},
      {"16-bit values", with_byte(labels, 2, 0x0b), "IDX type 0b"},
      {"32-bit values", with_byte(labels, 2, 0x0c), "IDX type 0c"},
      {"floats", with_byte(labels, 2, 0x0d), "IDX type 0d"},
      {"doubles", with_byte(labels, 2, 0x0e), "IDX type 0e"},
      {"type 255", with_byte(labels, 2, 0xff), "IDX type ff"},
      {"no dimension", with_byte(labels, 3, 0), "0 dimensions"},
      {"two dimensions", with_byte(labels, 3, 2), "2 dimensions"},
      {"five dimensions", with_byte(labels, 3, 5), "5 dimensions"},
      {"255 dimensions", with_byte(labels, 3, 255), "255 dimensions"},
      {"one value too many", idx_file({5}, 6), "goes on at byte 13"},
      {"many values too many", idx_file({5}, 600), "goes on at byte 13"},
      {"no values announced", idx_file({0}, 1), "goes on at byte 8"},
      {"images with one byte more", idx_file({2, 3, 3}, 19), "goes on at byte 34"},
      {"images with one byte less", idx_file({2, 3, 3}, 17), "truncated: it ends at byte 33"},
      {"sizes in the order of other processors",
       joined({first_of(images, 4), bytes_of({2, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0}), Bytes(18)}),
       "little-endian"},
      {"labels read as images", with_byte(labels, 3, 3), "truncated"},
      {"images read as labels", with_byte(images, 3, 1), "goes on at byte 10"},
      {"header only", idx_file({5}, 0), "truncated: it ends at byte 8"},
      {"2^32 - 1 labels", idx_file({0xffffffffU}, 3), "announces more than 2147483648 values"},
      {"just above the limit", idx_file({0x80000001U}, 3), "announces more than"},
      {"at the limit but not there", idx_file({0x80000000U}, 3), "truncated"},
      {"product of 2^64", idx_file({1U << 16U, 1U << 24U, 1U << 24U}, 3), "announces more than"},
      {"product of 2^64 that wraps to 0", idx_file({1U << 31U, 1U << 31U, 4U}, 3),
       "announces more than"},
      {"product of 2^96", idx_file({0xffffffffU, 0xffffffffU, 0xffffffffU}, 3),
       "announces more than"},
      {"large last size", idx_file({1, 1, 1, 0xffffffffU}, 3), "(size 4294967295 at byte 16)"},
      {"zero times large", idx_file({0, 0xffffffffU, 0xffffffffU}, 1), "goes on at byte 16"},
      {"empty", {}, "truncated: it ends at byte 0"},
      {"one byte of gzip's mark", bytes_of({0x1f}), "truncated: it ends at byte 1"},
  });
}

// Numbers in the order of other processors, in all of the header or in its sizes alone.
TEST(Idx, LittleEndianHeadersAreNamedAsSuch) {
  const Bytes labels = joined({bytes_of({0, 0, 8, 1, 40, 0, 0, 0}), Bytes(40)});
  const Bytes large = joined({bytes_of({0, 0, 8, 1, 0, 1, 0, 0}), Bytes(256)});  // as 65536
  const Bytes small = joined({bytes_of({0, 0, 8, 1, 0, 2, 0, 0}), Bytes(512)});
  const Bytes images =
      joined({bytes_of({0, 0, 8, 3, 2, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0}), Bytes(18)});
  const Bytes prefix = joined({bytes_of({1, 8, 0, 0, 40, 0, 0, 0}), Bytes(40)});
  for (const Bytes& file : {labels, large, small, images, prefix}) {
    for (const Bytes& form : {file, gzip(file)}) {
      EXPECT_THAT(idx_error_of(form), HasSubstr("some-file"));
      EXPECT_THAT(idx_error_of(form), HasSubstr("its header is little-endian"));
    }
  }
  // As long as neither order says.
  EXPECT_THAT(idx_error_of(joined({labels, Bytes(1)})), HasSubstr("truncated"));
}

TEST(Idx, MalformedCompressedFilesAreRejected) {
  const Bytes file = idx_file({40}, 40), compressed = gzip(file);
  const std::size_t end = compressed.size();
  expect_idx_rejected({
      {"method 7", with_byte(compressed, 2, 7), "damaged compressed data"},
      {"reserved flags", with_byte(compressed, 3, 0xe0), "damaged compressed data"},
      {"name that never ends", with_byte(compressed, 3, 0x08), "truncated"},
      {"extra field beyond the end",
       joined({first_of(with_byte(compressed, 3, 0x04), 10), bytes_of({0xff, 0xff, 1})}),
       "truncated"},
      {"deflate block of a reserved type",
       joined({first_of(compressed, 10), bytes_of({0x07, 0, 0, 0})}), "damaged compressed data"},
      {"stored block with wrong complement",
       joined({first_of(compressed, 10), bytes_of({0x01, 4, 0, 4, 0, 1, 2, 3, 4})}),
       "damaged compressed data"},
      {"wrong checksum",
       with_byte(compressed, end - 8, std::to_integer<int>(compressed[end - 8]) ^ 1),
       "damaged compressed data"},
      {"wrong length", with_byte(compressed, end - 4, 41), "damaged compressed data"},
      {"a byte after the end", joined({compressed, bytes_of({1})}), "1 bytes follow"},
      {"a byte after padding", joined({compressed, bytes_of({0, 0, 7})}), "3 bytes follow"},
      {"a second file", joined({compressed, compressed}), "goes on at byte 48"},
      {"half a second member", joined({compressed, first_of(compressed, 12)}), "truncated"},
      {"compressed twice", gzip(compressed), "not an IDX file"},
      {"compressed nothing", gzip({}), "truncated: it ends at byte 0"},
      {"compressed text", gzip(bytes_of({'a', 'b', 'c', 'd'})), "not an IDX file"},
      {"compressed floats", gzip(with_byte(file, 2, 0x0d)), "IDX type 0d"},
      {"one value too many", gzip(idx_file({40}, 41)), "goes on at byte 48"},
      {"one value too few", gzip(idx_file({40}, 39)), "truncated: it ends at byte 47"},
      {"2^32 - 1 values", gzip(idx_file({0xffffffffU}, 40)), "announces more than"},
      // Must not make room for the 2 GiB that it announces.
      {"2^31 values that are not there", gzip(idx_file({0x80000000U}, 40)), "truncated"},
      // 64 MiB from 64 KiB: inflating stops one byte after the announced end.
      {"a bomb", gzip(idx_file({40}, std::size_t{64} << 20U, 1)), "goes on at byte 48"},
  });
}

TEST(Idx, DamageInAnyByteOfACompressedFileIsNoticedOrHarmless) {
  const Bytes file = idx_file({40}, 40), compressed = gzip(file);
  const std::vector<std::uint8_t> values = parse_idx(compressed, "some-file").values;
  int noticed = 0;
  for (std::size_t at = 2; at < compressed.size(); ++at) {
    const Bytes damaged = with_byte(compressed, at, std::to_integer<int>(compressed[at]) ^ 0x10);
    try {
      // Only the header's time stamp and system may differ.
      EXPECT_EQ(parse_idx(damaged, "some-file").values, values) << at;
    } catch (const DataError&) {
      ++noticed;
    }
  }
  EXPECT_GE(noticed, static_cast<int>(compressed.size()) - 10);
}

TEST(Idx, ALowerLimitHolds) {
  EXPECT_EQ(idx_error_of(idx_file({5}, 5), 5), "");
  EXPECT_THAT(idx_error_of(idx_file({6}, 6), 5), HasSubstr("announces more than 5 values"));
}

TEST(Idx, MissingFilesAreDataErrors) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { read_idx(folder / "train-labels-idx1-ubyte"); },
              ThrowsMessage<DataError>(HasSubstr("train-labels-idx1-ubyte: no such file")));
  EXPECT_THROW(read_idx(folder.path()), IoError);
  std::filesystem::create_symlink("nowhere", folder / "dangling");
  EXPECT_THAT([&] { read_idx(folder / "dangling"); },
              ThrowsMessage<DataError>(HasSubstr("dangling: a link to a file that is not there")));
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_THAT([&] { read_idx(folder / "loop"); }, ThrowsMessage<IoError>(HasSubstr("loop")));
}

TEST(Idx, WrittenFilesAreReadBack) {
  const TemporaryFolder folder;
  const std::vector<std::int64_t> sizes = {2, 1, 2, 3};
  const std::vector<std::uint8_t> values = {0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255};
  write_idx(folder / "colour", sizes, values);
  const IdxArray array = read_idx(folder / "colour");
  EXPECT_EQ(array.sizes, sizes);
  EXPECT_EQ(array.values, values);
}

TEST(Idx, TheHeaderIsTheFormats) {
  EXPECT_EQ(idx_header(std::vector<std::int64_t>{60000, 28, 28}),
            bytes_of({0, 0, 8, 3, 0, 0, 0xea, 0x60, 0, 0, 0, 28, 0, 0, 0, 28}));
}

TEST(Idx, WrongArgumentsOfTheWriterAreRejected) {
  const TemporaryFolder folder;
  const auto header = [](std::vector<std::int64_t> sizes) { idx_header(sizes); };
  EXPECT_THROW(header({1, 2}), std::invalid_argument);
  EXPECT_THROW(header({-1}), std::invalid_argument);
  EXPECT_THROW(header({std::int64_t{1} << 32}), std::invalid_argument);
  const std::vector<std::int64_t> sizes = {3};
  const std::vector<std::uint8_t> values = {1, 2};
  EXPECT_THAT([&] { write_idx(folder / "labels", sizes, values); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("3 values, but there are 2")));
  EXPECT_FALSE(std::filesystem::exists(folder / "labels"));
}

}  // namespace
}  // namespace gradflip
