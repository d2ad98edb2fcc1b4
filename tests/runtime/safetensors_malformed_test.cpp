// One broken file per way of breaking it, each with a part of the message that must say so.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "runtime/errors.h"
#include "runtime/safetensors.h"

namespace gradflip {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string length_field(std::uint64_t length) {
  std::string text;
  for (unsigned byte = 0; byte < 8; ++byte) text += static_cast<char>(length >> (8 * byte));
  return text;
}

std::string file_of(const std::string& header, std::size_t buffer_bytes) {
  return length_field(header.size()) + header + std::string(buffer_bytes, 'b');
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

// A file with the one tensor "w".
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets,
                std::size_t buffer_bytes) {
  return file_of("{\"w\":" + entry(dtype, shape, offsets) + "}", buffer_bytes);
}

// A file with the U8 tensors "a" and "b" of 4 elements each.
std::string two(const std::string& a, const std::string& b, std::size_t buffer_bytes) {
  return file_of("{\"a\":" + entry("U8", "[4]", a) + ",\"b\":" + entry("U8", "[4]", b) + "}",
                 buffer_bytes);
}

std::string many(std::size_t count, const std::string& value) {
  std::string text;
  for (std::size_t index = 0; index < count; ++index) {
    text += (index == 0 ? "\"" : ",\"") + std::to_string(index) + "\":" + value;
  }
  return text;
}

struct Malformed {
  std::string name;
  std::string file;
  std::string message;
};
void PrintTo(const Malformed& malformed, std::ostream* out) { *out << malformed.name; }

std::vector<Malformed> malformed_files() {
  const std::string empty = entry("U8", "[0]", "[0,0]");
  const std::string scalar = entry("U8", "[]", "[0,1]");
  return {
      // The length and the extent of the header.
      {"EmptyFile", "", "has 0 bytes"},
      {"SevenBytes", std::string(7, '\0'), "has 7 bytes"},
      {"LengthWithoutHeader", length_field(2), "ends after 0"},
      {"HeaderCutShort", length_field(3) + "{}", "said to have 3 bytes"},
      {"LengthOfAllOnes", length_field(~std::uint64_t{0}) + "{}", "at most 16777216"},
      {"LengthThatWrapsAround", length_field(~std::uint64_t{7}) + "{}", "at most 16777216"},
      {"LengthPastTheLimit", length_field(kMaxSafetensorsHeaderBytes + 1) + "{}", "at most"},
      {"EmptyHeader", length_field(0), "begin with '{'"},
      {"LeadingSpace", file_of(" {}", 0), "begin with '{'"},
      {"ByteOrderMark", file_of("\xEF\xBB\xBF{}", 0), "begin with '{'"},
      {"ArrayForHeader", file_of("[]", 0), "begin with '{'"},

      // JSON.
      {"NotJson", file_of("{w}", 0), "not valid JSON at its byte 2"},
      {"UnclosedObject", file_of("{", 0), "not valid JSON"},
      {"UnclosedString", file_of("{\"w", 0), "not valid JSON"},
      {"TrailingComma", file_of("{\"w\":" + empty + ",}", 0), "not valid JSON"},
      {"Comment", file_of("{/**/}", 0), "not valid JSON"},
      {"SecondValue", file_of("{}{}", 0), "not valid JSON"},
      {"TextAfterTheObject", file_of("{} x", 0), "not valid JSON"},
      {"ZeroBytesForPadding", file_of(std::string("{}\0\0", 4), 0), "zero byte"},
      {"SecondFileBehindAZeroByte", file_of(std::string("{}\0{\"w\":1}", 10), 0), "zero byte"},
      {"InvalidUtf8", file_of("{\"\xC3(\":" + empty + "}", 0), "not valid JSON"},
      {"OverlongUtf8", file_of("{\"\xC0\x80\":" + empty + "}", 0), "not valid JSON"},
      {"LoneSurrogate", file_of(R"({"\ud800":)" + empty + "}", 0), "not valid JSON"},
      {"LineBreakInAName", file_of("{\"a\nb\":" + empty + "}", 0), "not valid JSON"},
      {"NaNForANumber", one("U8", "[NaN]", "[0,0]", 0), "not valid JSON"},
      {"LeadingZero", one("U8", "[01]", "[0,1]", 1), "not valid JSON"},
      {"DeepNesting", file_of("{\"w\":" + std::string(100000, '['), 0), "an array where"},

      // Equal keys, of which another reader may see the other one.
      {"SameNameTwice", file_of("{\"w\":" + empty + ",\"w\":" + empty + "}", 0), "occurs twice"},
      {"SameNameEscaped", file_of("{\"w\":" + empty + R"(,"\u0077":)" + empty + "}", 0),
       "\"w\" occurs twice"},
      {"MetadataTwice", file_of(R"({"__metadata__":{},"__metadata__":{}})", 0), "occurs twice"},
      {"MetadataKeyTwice", file_of(R"({"__metadata__":{"k":"1","k":"2"}})", 0),
       "\"k\" occurs twice in __metadata__"},
      {"FieldTwice", file_of(R"({"w":{"dtype":"U8","dtype":"I8"}})", 0),
       "\"dtype\" occurs twice in tensor \"w\""},

      // The schema.
      {"MetadataIsAString", file_of(R"({"__metadata__":"x"})", 0), "__metadata__ has a string"},
      {"MetadataIsNull", file_of(R"({"__metadata__":null})", 0), "__metadata__ has null"},
      {"MetadataNumber", file_of(R"({"__metadata__":{"k":1}})", 0), "__metadata__ has a number"},
      {"MetadataObject", file_of(R"({"__metadata__":{"k":{}}})", 0), "__metadata__ has an object"},
      {"MetadataArray", file_of(R"({"__metadata__":{"k":[]}})", 0), "__metadata__ has an array"},
      {"EntryIsANumber", file_of(R"({"w":1})", 0), "tensor \"w\" has a number"},
      {"EntryIsAnArray", file_of(R"({"w":[]})", 0), "tensor \"w\" has an array"},
      {"EntryIsABoolean", file_of(R"({"w":true})", 0), "tensor \"w\" has a boolean"},
      {"EntryIsEmpty", file_of(R"({"w":{}})", 0), "lacks dtype"},
      {"NoOffsets", file_of(R"({"w":{"dtype":"U8","shape":[0]}})", 0), "data_offsets"},
      {"NoShape", file_of(R"({"w":{"dtype":"U8","data_offsets":[0,0]}})", 0), "lacks"},
      {"UnknownField", file_of(R"({"w":{"dtype":"U8","strides":[1]}})", 0), "\"strides\""},
      {"ObjectInAnEntry", file_of(R"({"w":{"shape":{}}})", 0), "an object where"},
      {"ArrayInAShape", one("U8", "[[1]]", "[0,1]", 1), "an array where"},
      {"StringInAShape", one("U8", "[\"1\"]", "[0,1]", 1), "a string where"},
      {"ShapeIsANumber", one("U8", "1", "[0,1]", 1), "a number where"},
      {"DtypeIsANumber", file_of(R"({"w":{"dtype":1}})", 0), "a number where"},
      {"DtypeIsAnArray", file_of(R"({"w":{"dtype":[]}})", 0), "an array where"},
      {"UnknownDtype", one("F31", "[0]", "[0,0]", 0), "\"F31\", which is not supported"},
      {"LowerCaseDtype", one("f32", "[0]", "[0,0]", 0), "not supported"},
      {"DtypeOfLessThanAByte", one("F4", "[2]", "[0,1]", 1), "not supported"},

      // Integers.
      {"NegativeExtent", one("U8", "[-1]", "[0,0]", 0), "a negative number"},
      {"NegativeZero", one("U8", "[-0]", "[0,0]", 0), "a negative number"},
      {"Fraction", one("U8", "[1.0]", "[0,1]", 1), "not a 64-bit integer"},
      {"Exponent", one("U8", "[1e0]", "[0,1]", 1), "not a 64-bit integer"},
      {"PastUnsigned64", one("U8", "[18446744073709551616]", "[0,1]", 1), "not a 64-bit integer"},
      {"PastTwoToThe48", one("U8", "[281474976710657]", "[0,1]", 1), "past 2^48"},
      {"OffsetPastTwoToThe48", one("U8", "[1]", "[0,281474976710657]", 1), "past 2^48"},

      // Limits.
      {"NineDimensions", one("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]", 1), "more than 8 dimensions"},
      {"LongName", file_of("{\"" + std::string(1025, 'n') + "\":" + empty + "}", 0), "1025 bytes"},
      {"TooManyTensors", file_of("{" + many(kMaxSafetensorsEntries + 1, empty) + "}", 0),
       "more than 100000 tensors"},
      {"TooManyMetadataKeys",
       file_of(R"({"__metadata__":{)" + many(kMaxSafetensorsEntries + 1, "\"\"") + "}}", 0),
       "more than 100000 metadata keys"},

      // Where the tensors lie.
      {"NoOffset", one("U8", "[0]", "[]", 0), "fewer than two"},
      {"OneOffset", one("U8", "[0]", "[0]", 0), "fewer than two"},
      {"ThreeOffsets", one("U8", "[0]", "[0,0,0]", 0), "more than two"},
      {"EndBeforeBegin", one("U8", "[1]", "[1,0]", 1), "before it begins"},
      {"HoleAtTheStart", one("U8", "[1]", "[1,2]", 2), "expected 0 (hole)"},
      {"HoleBetween", two("[0,4]", "[5,9]", 9), "\"b\" begins at byte 5, expected 4 (hole)"},
      {"Overlap", two("[0,4]", "[3,7]", 7), "\"b\" begins at byte 3, expected 4 (overlap)"},
      {"SameBytesTwice", two("[0,4]", "[0,4]", 4), "overlap"},
      {"EmptyTensorInsideAnother",
       file_of(
           "{\"a\":" + entry("U8", "[4]", "[0,4]") + ",\"b\":" + entry("U8", "[0]", "[2,2]") + "}",
           4),
       "overlap"},
      {"PastTheEnd", one("U8", "[4]", "[0,4]", 3), "the data has 3"},
      {"NoData", one("U8", "[4]", "[0,4]", 0), "the data has 0"},
      {"BytesLeftOver", one("U8", "[4]", "[0,4]", 6), "2 bytes after the last tensor"},
      {"DataWithoutTensors", file_of("{}", 1), "1 bytes after the last tensor"},
      {"ShapeTooSmall", one("F32", "[1]", "[0,8]", 8), "has 8 bytes, its shape needs 4"},
      {"ShapeTooLarge", one("F32", "[3]", "[0,8]", 8), "has 8 bytes, its shape needs 12"},
      {"ScalarOfTwo", one("F32", "[]", "[0,8]", 8), "its shape needs 4"},
      {"ZeroExtentWithBytes", one("F32", "[0,2]", "[0,8]", 8), "its shape needs 0"},
      {"ShapeThatOverflows", one("U8", "[281474976710656,281474976710656]", "[0,0]", 0),
       "too large"},
      {"ShapeThatOverflowsToItsSize", one("U8", "[4294967296,4294967296,1]", "[0,0]", 0),
       "too large"},
      {"ScalarsWithoutBytes", file_of("{\"w\":" + scalar + "}", 0), "the data has 0"},
  };
}

class MalformedSafetensorsTest : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedSafetensorsTest, IsRefusedWithAReason) {
  const std::string& file = GetParam().file;
  try {
    parse_safetensors(std::as_bytes(std::span(file)));
    ADD_FAILURE() << "accepted";
  } catch (const ModelFileError& error) {
    EXPECT_THAT(error.what(), HasSubstr(GetParam().message));
    EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
    EXPECT_LT(std::string(error.what()).size(), 400U);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, MalformedSafetensorsTest, testing::ValuesIn(malformed_files()),
                         [](const auto& file) { return file.param.name; });

// Right at the limits, so that the cases above fail for the reason that they name.
TEST(SafetensorsLimitsTest, AreInclusive) {
  const std::string empty = entry("U8", "[0]", "[0,0]");
  const std::vector<std::string> files = {
      one("U8", "[1,1,1,1,1,1,1,1]", "[0,1]", 1),
      one("U8", "[281474976710656,0]", "[0,0]", 0),
      file_of("{\"" + std::string(1024, 'n') + "\":" + empty + "}", 0),
      file_of("{" + many(kMaxSafetensorsEntries, empty) + "}", 0),
      file_of("{}" + std::string(kMaxSafetensorsHeaderBytes - 2, ' '), 0),
      two("[4,8]", "[0,4]", 8),
      file_of(" {}", 0).replace(8, 3, "{} "),
  };
  for (const std::string& file : files) {
    EXPECT_NO_THROW(parse_safetensors(std::as_bytes(std::span(file)))) << file.substr(8, 60);
  }
}

}  // namespace
}  // namespace gradflip
