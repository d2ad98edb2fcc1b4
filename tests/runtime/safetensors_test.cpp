#include "runtime/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>

#include "runtime/atomic_file.h"
#include "runtime/errors.h"
#include "tests/support/temporary_folder.h"

namespace gradflip {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::span<const std::byte> bytes_of_text(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Tensors together with the memory that they view.
struct Contents {
  std::deque<std::vector<std::byte>> storage;
  SafetensorsTensors tensors;
  SafetensorsMetadata metadata;
};

struct ElementType {
  const char* name;
  std::size_t bytes;
};
constexpr std::array<ElementType, 6> kElementTypes = {
    {{"BOOL", 1}, {"U8", 1}, {"BF16", 2}, {"I32", 4}, {"F32", 4}, {"I64", 8}}};

std::string utf8(const std::vector<std::uint32_t>& code_points) {
  std::string text;
  for (const std::uint32_t code : code_points) {
    const auto append = [&text](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (code < 0x80U) {
      append(code);
    } else if (code < 0x800U) {
      append(0xC0U | code >> 6U);
      append(0x80U | (code & 0x3FU));
    } else {
      append(0xE0U | code >> 12U);
      append(0x80U | (code >> 6U & 0x3FU));
      append(0x80U | (code & 0x3FU));
    }
  }
  return text;
}

// Any text below the surrogates: control characters, quotes and NUL included.
std::string any_text() {
  return utf8(
      *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, 0xD800)));
}

Contents any_contents() {
  Contents contents;
  const auto count = *rc::gen::inRange(0, 6);
  for (int tensor = 0; tensor < count; ++tensor) {
    const ElementType type = *rc::gen::elementOf(kElementTypes);
    const auto shape = *rc::gen::resize(
        4, rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, 5)));
    std::size_t size = type.bytes;
    for (const std::int64_t extent : shape) size *= static_cast<std::size_t>(extent);
    auto& memory = contents.storage.emplace_back(size);
    for (std::byte& byte : memory) byte = static_cast<std::byte>(*rc::gen::arbitrary<char>());
    contents.tensors[any_text()] = {type.name, shape, memory};
  }
  const auto keys = *rc::gen::inRange(0, 4);
  for (int key = 0; key < keys; ++key) contents.metadata[any_text()] = any_text();
  return contents;
}

RC_GTEST_PROP(SafetensorsProperty, ReadingGivesWhatWasWritten, ()) {
  const Contents contents = any_contents();
  const auto file = format_safetensors(contents.tensors, contents.metadata);
  const Safetensors read = parse_safetensors(file);
  RC_ASSERT(read.metadata == contents.metadata);
  RC_ASSERT(read.tensors.size() == contents.tensors.size());
  for (const auto& [name, tensor] : contents.tensors) {
    const SafetensorsTensor& got = read.tensors.at(name);
    RC_ASSERT(got.dtype == tensor.dtype);
    RC_ASSERT(got.shape == tensor.shape);
    RC_ASSERT(text_of(got.bytes) == text_of(tensor.bytes));
  }
  RC_ASSERT(format_safetensors(read.tensors, read.metadata) == file);
}

// Every byte of the buffer belongs to exactly one tensor of an accepted file, whatever has happened
// to it.
RC_GTEST_PROP(SafetensorsProperty, ADamagedFileIsRefusedOrConsistent, ()) {
  const Contents contents = any_contents();
  auto file = format_safetensors(contents.tensors, contents.metadata);
  const auto changes = *rc::gen::inRange(1, 4);
  for (int change = 0; change < changes; ++change) {
    const auto position = *rc::gen::inRange<std::size_t>(0, file.size());
    file[position] = static_cast<std::byte>(*rc::gen::arbitrary<char>());
  }
  file.resize(file.size() - *rc::gen::inRange<std::size_t>(0, 2));
  try {
    const Safetensors read = parse_safetensors(file);
    std::size_t owned = 0;
    for (const auto& [name, tensor] : read.tensors) owned += tensor.bytes.size();
    const auto header_bytes = std::to_integer<std::size_t>(file[0]) |
                              std::to_integer<std::size_t>(file[1]) << 8U |
                              std::to_integer<std::size_t>(file[2]) << 16U;
    RC_ASSERT(owned == file.size() - 8 - header_bytes);
  } catch (const ModelFileError&) {
    RC_SUCCEED("refused");
  }
}

// The layout of the reference implementation, so that equal contents are equal files whoever wrote
// them.
TEST(SafetensorsTest, WritesTheReferenceLayout) {
  const std::string f32 = "ffffFFFF";
  const std::string i64 = "iiiiIIII";
  const std::string u8 = "u";
  const SafetensorsTensors tensors = {{"a", {"U8", {1}, bytes_of_text(u8)}},
                                      {"z", {"I64", {}, bytes_of_text(i64)}},
                                      {"c", {"F32", {1, 2}, bytes_of_text(f32)}},
                                      {"b", {"F32", {2}, bytes_of_text(f32)}},
                                      {"n", {"F32", {0, 3}, {}}}};
  const std::string header = R"({"__metadata__":{"format":"pt"},)"
                             R"("z":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},)"
                             R"("c":{"dtype":"F32","shape":[1,2],"data_offsets":[16,24]},)"
                             R"("n":{"dtype":"F32","shape":[0,3],"data_offsets":[24,24]},)"
                             R"("a":{"dtype":"U8","shape":[1],"data_offsets":[24,25]}})";
  const std::string padding(8 - header.size() % 8, ' ');
  std::string length(8, '\0');
  length[0] = static_cast<char>((header.size() + padding.size()) & 0xFFU);
  length[1] = static_cast<char>((header.size() + padding.size()) >> 8U);
  EXPECT_EQ(text_of(format_safetensors(tensors, {{"format", "pt"}})),
            length + header + padding + i64 + f32 + f32 + u8);
}

TEST(SafetensorsTest, NothingIsAFileToo) {
  const auto file = format_safetensors({}, {});
  EXPECT_EQ(text_of(file), std::string("\x08\0\0\0\0\0\0\0{}      ", 16));
  const Safetensors read = parse_safetensors(file);
  EXPECT_TRUE(read.tensors.empty());
  EXPECT_TRUE(read.metadata.empty());
}

TEST(SafetensorsTest, WriterRefusesWhatTheReaderWould) {
  const std::string data = "12345678";
  const auto refused = [&](const std::string& name, const SafetensorsTensor& tensor,
                           const SafetensorsMetadata& metadata = {}) {
    EXPECT_THROW(format_safetensors({{name, tensor}}, metadata), std::invalid_argument) << name;
  };
  const SafetensorsTensor good = {"F32", {2}, bytes_of_text(data)};
  EXPECT_NO_THROW(format_safetensors({{"good", good}}, {}));
  refused("__metadata__", good);
  refused(std::string(1025, 'n'), good);
  refused("not utf-8 \xFF", good);
  refused("metadata key", good, {{"\xFF", ""}});
  refused("metadata value", good, {{"", "\xFF"}});
  refused("dtype", {"F31", {2}, bytes_of_text(data)});
  refused("size", {"F32", {3}, bytes_of_text(data)});
  refused("negative", {"F32", {-2}, bytes_of_text(data)});
  refused("two negatives", {"F32", {-2, -1}, bytes_of_text(data)});
  refused("rank", {"F32", {1, 1, 1, 1, 1, 1, 1, 1, 2}, bytes_of_text(data)});
  refused("extent", {"F32", {(std::int64_t{1} << 48) + 1, 0}, {}});
  refused("overflow", {"F32", {std::int64_t{1} << 48, std::int64_t{1} << 48}, {}});
}

TEST(SafetensorsTest, FileRoundTrip) {
  const TemporaryFolder folder;
  const std::array<float, 3> weights = {1.0F, -2.5F, 3.25F};
  write_safetensors(folder / "w", {{"w", {"F32", {3}, std::as_bytes(std::span(weights))}}},
                    {{"step", "7"}});
  SafetensorsFile first = read_safetensors(folder / "w");
  const SafetensorsFile file = std::move(first);  // the views stay valid
  EXPECT_EQ(file.content.metadata.at("step"), "7");
  const SafetensorsTensor& tensor = file.content.tensors.at("w");
  ASSERT_EQ(tensor.bytes.size(), sizeof weights);
  EXPECT_EQ(std::memcmp(tensor.bytes.data(), weights.data(), sizeof weights), 0);
}

TEST(SafetensorsTest, ErrorsOfFilesNameThePath) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "bad", bytes_of_text("{}"));
  try {
    read_safetensors(folder / "bad");
    ADD_FAILURE() << "accepted";
  } catch (const ModelFileError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr((folder / "bad").string()), HasSubstr("2 bytes")));
  }
  EXPECT_THROW(read_safetensors(folder / "missing"), IoError);
  EXPECT_THROW(write_safetensors(folder / "no" / "file", {}, {}), IoError);
}

}  // namespace
}  // namespace gradflip
