// Files that the reader of pictures must turn down, with the reason.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "apps/common/data/image_file.h"
#include "runtime/errors.h"
#include "tests/apps/bytes.h"

namespace gradflip {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// "" if the file is accepted.
std::string refusal_of(const Bytes& file) {
  try {
    decode_image(file, "some-file");
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

struct Malformed {
  std::string what;
  Bytes file;
  std::string message;  // a part of it
};

void expect_rejected(const std::vector<Malformed>& cases) {
  for (const auto& [what, file, message] : cases) {
    SCOPED_TRACE(what);
    const std::string error = refusal_of(file);
    EXPECT_THAT(error, HasSubstr(message));
    EXPECT_THAT(error, HasSubstr("some-file"));
    EXPECT_THAT(error, Not(HasSubstr("\n")));
  }
}

TEST(ImageFileMalformed, OtherFormatsAreRejected) {
  const std::string message = "neither a PNG nor a JPEG";
  expect_rejected({
      {"empty", {}, message},
      {"one byte", bytes_of({0x89}), message},
      {"start of a PNG's mark", bytes_of({0x89, 'P', 'N', 'G', 13, 10, 26}), message},
      {"PNG with text line ends", bytes_of({0x89, 'P', 'N', 'G', 10, 26, 10, 0, 0}), message},
      {"start of a JPEG's mark", bytes_of({0xff, 0xd8}), message},
      {"GIF", bytes_of({'G', 'I', 'F', '8', '9', 'a', 1, 0, 1, 0, 0, 0, 0}), message},
      {"BMP", bytes_of({'B', 'M', 58, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0}), message},
      {"PGM", bytes_of({'P', '5', ' ', '1', ' ', '1', ' ', '9', 10, 1}), message},
      {"PSD", bytes_of({'8', 'B', 'P', 'S', 0, 1, 0, 0, 0, 0}), message},
      {"HDR", bytes_of({'#', '?', 'R', 'A', 'D', 'I', 'A', 'N', 'C', 'E', 10}), message},
      {"WebP", bytes_of({'R', 'I', 'F', 'F', 4, 0, 0, 0, 'W', 'E', 'B', 'P'}), message},
      {"PIC", bytes_of({0x53, 0x80, 0xf6, 0x34, 0, 0, 0, 0}), message},
      {"IDX", idx_file({5}, 5), message},
      {"gzip", gzip(png_file(1, 1, 1, {0})), message},
      {"HTML", bytes_of({'<', '!', 'D', 'O', 'C', 'T', 'Y', 'P', 'E'}), message},
  });
}

Bytes png_of(const std::vector<Bytes>& chunks) {
  Bytes file = bytes_of({0x89, 'P', 'N', 'G', 13, 10, 26, 10});
  for (const Bytes& chunk : chunks) file = joined({file, chunk});
  return file;
}

Bytes header(std::uint32_t width, std::uint32_t height, int depth, int colour, int compression = 0,
             int filter = 0, int interlace = 0) {
  return png_chunk("IHDR", joined({big_endian(width), big_endian(height),
                                   bytes_of({depth, colour, compression, filter, interlace})}));
}

TEST(ImageFileMalformed, MalformedPngFilesAreRejected) {
  const std::string message = "damaged or unsupported PNG";
  const Bytes end = png_chunk("IEND", {}), good = png_file(1, 1, 1, {7});
  const Bytes data(good.begin() + 33, good.end() - 12);  // its IDAT
  const Bytes stored = bytes_of({0x78, 0x01, 0x01, 2, 0, 0xfd, 0xff, 0, 7, 0, 9, 0, 8});
  EXPECT_EQ(refusal_of(png_of({header(1, 1, 8, 0), data, end})), "");
  EXPECT_EQ(refusal_of(png_of({header(1, 1, 8, 0), png_chunk("IDAT", stored), end})), "");
  expect_rejected({
      {"mark only", png_of({}), message},
      {"no header", png_of({data, end}), message},
      {"two headers", png_of({header(1, 1, 8, 0), header(1, 1, 8, 0), data, end}), message},
      {"short header", png_of({png_chunk("IHDR", bytes_of({0, 0, 0, 1})), data, end}), message},
      {"no data", png_of({header(1, 1, 8, 0), end}), message},
      {"empty data", png_of({header(1, 1, 8, 0), png_chunk("IDAT", {}), end}), message},
      {"no width", png_of({header(0, 1, 8, 0), data, end}), message},
      {"no height", png_of({header(1, 0, 8, 0), data, end}), message},
      {"depth 3", png_of({header(1, 1, 3, 0), data, end}), message},
      {"depth 255", png_of({header(1, 1, 255, 0), data, end}), message},
      {"Apple's variant",
       png_of({png_chunk("CgBI", bytes_of({0x50, 0, 0x20, 2})), header(1, 1, 8, 0), data, end}),
       "Apple's own variant"},
      {"colour type 1", png_of({header(1, 1, 8, 1), data, end}), message},
      {"colour type 7", png_of({header(1, 1, 8, 7), data, end}), message},
      {"palette of 16 bits", png_of({header(1, 1, 16, 3), data, end}), message},
      {"palette that is missing", png_of({header(1, 1, 8, 3), data, end}), message},
      {"palette of 257 colours",
       png_of({header(1, 1, 8, 3), png_chunk("PLTE", Bytes(771)), data, end}), message},
      {"palette cut within a colour",
       png_of({header(1, 1, 8, 3), png_chunk("PLTE", Bytes(4)), data, end}), message},
      {"transparency before its palette",
       png_of({header(1, 1, 8, 3), png_chunk("tRNS", Bytes(1)), data, end}), message},
      {"transparency longer than its palette",
       png_of({header(1, 1, 8, 3), png_chunk("PLTE", Bytes(3)), png_chunk("tRNS", Bytes(2)), data,
               end}),
       message},
      {"transparency after data",
       png_of({header(1, 1, 8, 0), data, png_chunk("tRNS", Bytes(2)), end}), message},
      {"transparency where there is alpha",
       png_of({header(1, 1, 8, 4), png_chunk("tRNS", Bytes(2)), data, end}), message},
      {"compression 1", png_of({header(1, 1, 8, 0, 1), data, end}), message},
      {"filter method 1", png_of({header(1, 1, 8, 0, 0, 1), data, end}), message},
      {"interlace 2", png_of({header(1, 1, 8, 0, 0, 0, 2), data, end}), message},
      {"unknown critical chunk", png_of({header(1, 1, 8, 0), png_chunk("ABCD", {}), data, end}),
       message},
      {"a chunk whose name commands a terminal",
       png_of({header(1, 1, 8, 0), png_chunk("A\nB\x1b", {}), data, end}), "(A?B? PNG chunk"},
      {"a chunk of 2^31 bytes",
       png_of(
           {header(1, 1, 8, 0), joined({big_endian(1U << 31U), bytes_of({'I', 'D', 'A', 'T'})})}),
       message},
      {"a chunk beyond the end",
       png_of({header(1, 1, 8, 0), joined({big_endian(1000), bytes_of({'I', 'D', 'A', 'T', 1})})}),
       message},
      {"data that is not zlib's",
       png_of({header(1, 1, 8, 0), png_chunk("IDAT", bytes_of({1, 2, 3, 4})), end}), message},
      {"a reserved deflate block",
       png_of({header(1, 1, 8, 0), png_chunk("IDAT", bytes_of({0x78, 0x01, 0x07, 0, 0})), end}),
       message},
      {"a stored block with a wrong complement",
       png_of({header(1, 1, 8, 0), png_chunk("IDAT", with_byte(stored, 5, 0)), end}), message},
      {"too few rows", png_of({header(1, 9, 8, 0), data, end}), message},
      {"rows too short", png_of({header(9, 1, 8, 0), data, end}), message},
      {"row filter 5",
       png_of({header(1, 1, 8, 0), png_chunk("IDAT", with_byte(stored, 7, 5)), end}), message},
      {"65536 pixels a side", png_of({header(65536, 65536, 8, 0), data, end}), "too many pixels"},
      {"8193 x 8192", png_of({header(8193, 8192, 8, 0), data, end}), "67108864 in all"},
      {"2^31 - 1 pixels wide", png_of({header(0x7fffffffU, 1, 8, 0), data, end}), message},
      {"2^32 - 1 pixels wide", png_of({header(0xffffffffU, 1, 8, 0), data, end}), message},
  });
}

TEST(ImageFileMalformed, DamageThatChecksumsTellIsRefused) {
  const Bytes good = png_file(2, 2, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  ASSERT_EQ(refusal_of(good), "");
  for (std::size_t at = 8; at < good.size(); ++at) {
    SCOPED_TRACE(at);
    const int flipped = std::to_integer<int>(good[at]) ^ 1;
    EXPECT_NE(refusal_of(with_byte(good, at, flipped)), "");
    EXPECT_NE(refusal_of(first_of(good, at)), "");
  }
  // A wrong Adler-32 in a chunk whose own checksum is right.
  const Bytes stored = bytes_of({0x78, 0x01, 0x01, 2, 0, 0xfd, 0xff, 0, 7, 0, 9, 0, 9});
  expect_rejected(
      {{"Adler-32", png_of({header(1, 1, 8, 0), png_chunk("IDAT", stored), png_chunk("IEND", {})}),
        "picture data is damaged"}});
  const Bytes tail = bytes_of({'m', 'o', 'r', 'e'});
  EXPECT_EQ(refusal_of(joined({good, tail})), "");  // behind IEND
}

TEST(ImageFileMalformed, ASmallFileOfALargePictureStaysWithinItsMemory) {
  // 4096 x 4096 pixels announced in 100 bytes: allowed by the limits, but the data ends early.
  const Bytes good = png_file(1, 1, 1, {7});
  const Bytes data(good.begin() + 33, good.end());
  EXPECT_NE(refusal_of(joined({png_of({header(4096, 4096, 16, 6)}), data})), "");
}

// jpeg_file() with `segment` put before the first scan.
Bytes jpeg_with(const Bytes& segment) {
  const Bytes file = jpeg_file();
  return joined({first_of(file, 2), segment, Bytes(file.begin() + 2, file.end())});
}

// A Huffman table segment with these counts of codes by length, and its symbols.
Bytes huffman(int id, const std::vector<int>& counts, std::size_t symbols) {
  Bytes data = bytes_of({id});
  for (std::size_t i = 0; i < 16; ++i) {
    data.push_back(static_cast<std::byte>(i < counts.size() ? counts[i] : 0));
  }
  data.resize(data.size() + symbols);
  return jpeg_segment(0xc4, data);
}

Bytes without_end(const Bytes& jpeg) { return first_of(jpeg, jpeg.size() - 2); }

// A grey picture of so many blocks of 8 x 8 in one row, whose scan holds `data`.
Bytes jpeg_row(int blocks, const Bytes& data, const Bytes& before_scan = {}) {
  const Bytes good = jpeg_file();
  const Bytes sized = with_byte(good, 2 + 69 + 4 + 4, 8 * blocks);
  return joined({first_of(sized, sized.size() - 13), before_scan,
                 Bytes(good.end() - 13, good.end() - 3), data, bytes_of({0xff, 0xd9})});
}

TEST(ImageFileMalformed, AScanHasEveryBlockAndNothingElse) {
  // A block is 0000 here: level 0, end. Two of them in a byte, and ones to fill one up.
  EXPECT_EQ(refusal_of(jpeg_row(4, bytes_of({0, 0}))), "");
  EXPECT_EQ(refusal_of(jpeg_row(3, bytes_of({0, 0x0f}))), "");
  // As some cameras end it: with zeros, or with what they had in memory for less than a word.
  EXPECT_EQ(refusal_of(jpeg_row(4, bytes_of({0, 0, 0, 0}))), "");
  EXPECT_EQ(refusal_of(jpeg_row(2, bytes_of({0, 0x55}))), "");
  EXPECT_EQ(refusal_of(jpeg_row(2, bytes_of({0, 7, 0, 9}))), "");
  EXPECT_EQ(refusal_of(jpeg_row(2, joined({bytes_of({0}), Bytes(256)}))), "");
  EXPECT_EQ(refusal_of(jpeg_row(4, bytes_of({0, 0, 0xff}))), "");  // fill before the marker
  const Bytes restarts = jpeg_segment(0xdd, bytes_of({0, 2}));
  EXPECT_EQ(refusal_of(jpeg_row(4, bytes_of({0, 0xff, 0xd0, 0}), restarts)), "");
  EXPECT_EQ(refusal_of(jpeg_row(4, bytes_of({0, 0, 0, 0xff, 0xd0, 0}), restarts)), "");
  // A restart that closes the last interval, with fill before it and without.
  EXPECT_EQ(refusal_of(jpeg_row(2, bytes_of({0, 0xff, 0xd0}), restarts)), "");
  EXPECT_EQ(refusal_of(jpeg_row(2, bytes_of({0, 0xff, 0xff, 0xd0}), restarts)), "");
  EXPECT_EQ(refusal_of(jpeg_row(4, bytes_of({0, 0xff, 0xd0, 0, 0xff, 0xd1}), restarts)), "");
  expect_rejected({
      {"an interval too many",
       jpeg_row(2, joined({bytes_of({0, 0xff, 0xd0}), Bytes(300)}), restarts),
       "goes on behind its last block"},
      {"a last restart out of turn", jpeg_row(2, bytes_of({0, 0xff, 0xd1}), restarts), "cut off"},
      {"a restart amid the last interval",
       jpeg_row(3, bytes_of({0, 0xff, 0xd0, 0, 0xff, 0xd1}), restarts), "cut off"},
      {"a restart without intervals", jpeg_row(2, bytes_of({0, 0xff, 0xd0})), "cut off"},
      {"two blocks of four", jpeg_row(4, bytes_of({0})), "ends before its last block"},
      {"no block", jpeg_row(4, {}), "ends before its last block"},
      {"zeros without end", jpeg_row(2, Bytes(258)), "goes on behind its last block"},
      {"data behind the last", jpeg_row(2, bytes_of({0, 7, 7, 7, 7})), "goes on behind its last"},
      {"data behind zeros", jpeg_row(2, bytes_of({0, 0, 0, 0, 0, 0, 7})), "goes on behind"},
      {"FF bytes", jpeg_row(2, bytes_of({0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0})),
       "goes on behind"},
      {"data behind an interval", jpeg_row(4, bytes_of({0, 0, 0, 0, 0xff, 0xd0, 0}), restarts),
       "goes on behind its last block"},
      {"an unknown code", jpeg_row(2, bytes_of({0xf0})), "no Huffman table"},
      {"a restart too few", jpeg_row(4, bytes_of({0, 0}), restarts), "restart marker"},
      {"a restart out of turn", jpeg_row(4, bytes_of({0, 0xff, 0xd1, 0}), restarts), "restart"},
      {"an interval cut short", jpeg_row(4, bytes_of({0xff, 0xd0, 0}), restarts), "ends before"},
  });
}

// A scan of jpeg_file()'s component: coefficients first to last, and the bits that it brings as
// the header has them.
Bytes jpeg_scan(int first, int last, int bits, int data) {
  return joined({jpeg_segment(0xda, bytes_of({1, 1, 0, first, last, bits})), bytes_of({data})});
}

// jpeg_file() as a progressive picture.
Bytes progressive_jpeg(const std::vector<Bytes>& scans) {
  const Bytes good = jpeg_file();
  Bytes file = with_byte(first_of(good, good.size() - 13), 2 + 69 + 1, 0xc2);
  for (const Bytes& scan : scans) file = joined({file, scan});
  return joined({file, bytes_of({0xff, 0xd9})});
}

// Cut between two scans and closed, it would be a blurred picture without a word.
TEST(ImageFileMalformed, AProgressivePictureHasEveryBitOfEveryCoefficient) {
  const Bytes dc = jpeg_scan(0, 0, 0x00, 0x3f), ac = jpeg_scan(1, 63, 0x00, 0x3f);
  const Bytes dc_start = jpeg_scan(0, 0, 0x01, 0x3f), dc_rest = jpeg_scan(0, 0, 0x10, 0x7f);
  const Bytes ac_start = jpeg_scan(1, 63, 0x01, 0x3f), ac_rest = jpeg_scan(1, 63, 0x10, 0x3f);
  EXPECT_EQ(refusal_of(progressive_jpeg({dc, ac})), "");
  EXPECT_EQ(refusal_of(progressive_jpeg({dc_start, ac_start, ac_rest, dc_rest})), "");
  EXPECT_EQ(refusal_of(progressive_jpeg({dc, jpeg_scan(1, 5, 0, 0x3f), jpeg_scan(6, 63, 0, 0x3f)})),
            "");
  const std::string message = "a part of its picture data is missing";
  expect_rejected({
      {"the mean of each block alone", progressive_jpeg({dc}), message},
      {"no mean", progressive_jpeg({ac}), message},
      {"five coefficients", progressive_jpeg({dc, jpeg_scan(1, 5, 0, 0x3f)}), message},
      {"all but the last", progressive_jpeg({dc, jpeg_scan(1, 62, 0, 0x3f)}), message},
      {"means without their last bit", progressive_jpeg({dc_start, ac}), message},
      {"the rest without its last bit", progressive_jpeg({dc, ac_start}), message},
  });
}

TEST(ImageFileMalformed, AJpegEndsAtItsEnd) {
  const Bytes good = jpeg_file();
  const Images picture = decode_image(good, "some-file");
  for (const Bytes& tail :
       {bytes_of({0xff, 0xc4}), huffman(0, {3}, 3), Bytes(5000), jpeg_file(true),
        bytes_of({0, 0, 0, 24, 'f', 't', 'y', 'p', 'm', 'p', '4', '2'})}) {
    EXPECT_EQ(decode_image(joined({good, tail}), "some-file").pixels, picture.pixels);
  }
  expect_rejected({{"no end", without_end(good), "ends early"},
                   {"no scan", joined({first_of(good, good.size() - 13), bytes_of({0xff, 0xd9})}),
                    "no picture data"}});
}

TEST(ImageFileMalformed, MalformedJpegFilesAreRejected) {
  const std::string message = "damaged or unsupported JPEG";
  const Bytes good = jpeg_file(), end_of_image = bytes_of({0xff, 0xd9});
  const auto frame = [&](std::size_t at, int value) {
    return with_byte(good, 2 + 69 + 4 + at, value);
  };
  expect_rejected({
      {"mark only", bytes_of({0xff, 0xd8, 0xff}), message},
      {"nothing but the end", bytes_of({0xff, 0xd8, 0xff, 0xd9}), message},
      {"segment of length 0", jpeg_with(bytes_of({0xff, 0xe1, 0, 0})), "shorter than its own"},
      {"segment of length 1", jpeg_with(bytes_of({0xff, 0xfe, 0, 1})), "shorter than its own"},
      {"segment beyond the end", jpeg_with(bytes_of({0xff, 0xe1, 0xff, 0xff})), message},
      {"Huffman tables beyond the end", jpeg_with(bytes_of({0xff, 0xc4, 0xff, 0xff})), "cut off"},
      {"Huffman table without symbols", jpeg_with(huffman(0, {0, 3}, 2)), "cut off"},
      {"half a Huffman table", jpeg_with(jpeg_segment(0xc4, Bytes(9))), "cut off"},
      {"Huffman table 4", jpeg_with(huffman(4, {}, 0)), "unknown id"},
      {"Huffman class 2", jpeg_with(huffman(0x20, {}, 0)), "unknown id"},
      {"3 codes of one bit", jpeg_with(huffman(0, {3}, 3)), "over-full"},
      {"5 codes of two bits", jpeg_with(huffman(0, {0, 5}, 5)), "over-full"},
      {"codes below full ones", jpeg_with(huffman(0, {2, 1}, 3)), "over-full"},
      {"257 codes", jpeg_with(huffman(0, {0, 0, 0, 0, 0, 0, 0, 0, 128, 129}, 257)),
       "more than 256 codes"},
      {"4080 codes", jpeg_with(huffman(0, std::vector<int>(16, 255), 4080)), "over-full"},
      {"a bad second table",
       jpeg_with(jpeg_segment(0xc4, joined({Bytes(17), bytes_of({9}), Bytes(16)}))), "unknown id"},
      {"a bad table hidden in no segment that is skipped",
       jpeg_with(jpeg_segment(0xdb, joined({bytes_of({0}), Bytes(64), bytes_of({0xff})}))),
       message},
      {"a bad table after the scan", joined({without_end(good), huffman(0, {3}, 3), end_of_image}),
       "over-full"},
      {"a quantisation table of length 3", jpeg_with(jpeg_segment(0xdb, Bytes(1))), message},
      {"quantisation table 4", jpeg_with(jpeg_segment(0xdb, joined({bytes_of({4}), Bytes(64)}))),
       message},
      {"an unknown marker", jpeg_with(jpeg_segment(0xc8, Bytes(4))), message},
      {"arithmetic coding", jpeg_with(jpeg_segment(0xc9, Bytes(9))), message},
      {"lossless", jpeg_with(jpeg_segment(0xc3, Bytes(9))), message},
      {"12 bits", frame(0, 12), message},
      {"no height", frame(2, 0), message},
      {"no width", frame(4, 0), message},
      {"65288 pixels a side", with_byte(frame(1, 0xff), 2 + 69 + 4 + 3, 0xff), "67108864 in all"},
      {"no components", frame(5, 0), message},
      {"two components", frame(5, 2), message},
      {"five components", frame(5, 5), message},
      {"8192 x 8192 pixels of 255 components, progressive",
       [&] {
         Bytes components = bytes_of({8, 0x20, 0, 0x20, 0, 255});
         for (int i = 0; i < 255; ++i) components = joined({components, bytes_of({i, 0x11, 0})});
         return joined({bytes_of({0xff, 0xd8}), jpeg_segment(0xc2, components), end_of_image});
       }(),
       "components that is not 1, 3 or 4"},
      {"sampling 0", frame(7, 0), message},
      {"sampling 5", frame(7, 0x55), message},
      {"quantisation 9", frame(8, 9), message},
      {"101 scans",
       [&] {
         const Bytes scan(good.end() - 13, good.end() - 2);
         Bytes scans = without_end(good);
         for (int i = 0; i < 100; ++i) scans = joined({scans, scan});
         return joined({scans, end_of_image});
       }(),
       "more scans"},
  });
}

TEST(ImageFileMalformed, BadTablesInSkippedSegmentsDoNotMatter) {
  // Camera makers put whole pictures into application segments.
  for (const int marker : {0xe1, 0xef, 0xfe}) {
    EXPECT_EQ(refusal_of(jpeg_with(jpeg_segment(marker, huffman(9, {3}, 3)))), "") << marker;
  }
  // But a length inside a segment hides nothing: this quantisation table holds the bytes FF E1.
  const Bytes table = jpeg_segment(0xdb, joined({bytes_of({0, 0xff, 0xe1, 1, 0}), Bytes(60)}));
  EXPECT_THAT(refusal_of(jpeg_with(joined({table, huffman(0, {3}, 3)}))), HasSubstr("over-full"));
}

}  // namespace
}  // namespace gradflip
