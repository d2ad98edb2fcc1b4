#include "apps/common/data/stb_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>

#include "kernels/require.h"
#include "runtime/errors.h"

namespace {

// Owns all memory of one decoder call, so that an exception out of the middle of stb_image leaks
// nothing. Memory starts as zeros: stb_image reads some of it uninitialised on damaged files, and
// the same file must give the same pixels.
class Arena {
 public:
  explicit Arena(std::size_t max_bytes) : free_bytes_(max_bytes) {}

  void* allocate(std::size_t bytes) {
    if (bytes > free_bytes_) {
      refused_ = true;
      return nullptr;
    }
    std::unique_ptr<void, decltype(&std::free)> memory(
        std::calloc(std::max<std::size_t>(bytes, 1), 1), &std::free);
    if (!memory) {
      exhausted_ = true;
      return nullptr;
    }
    void* address = memory.get();
    blocks_.emplace(address, Block{std::move(memory), bytes});
    free_bytes_ -= bytes;
    return address;
  }

  void* resize(void* old, std::size_t old_bytes, std::size_t bytes) {
    void* grown = allocate(bytes);
    if (grown != nullptr && old != nullptr) {
      std::memcpy(grown, old, std::min(old_bytes, bytes));
      release(old);
    }
    return grown;
  }

  // Whether any allocation was beyond the limit, or beyond what the machine has.
  bool refused() const { return refused_; }
  bool exhausted() const { return exhausted_; }

  void release(void* address) {
    const auto block = blocks_.find(address);
    if (block == blocks_.end()) return;
    free_bytes_ += block->second.bytes;
    blocks_.erase(block);
  }

 private:
  struct Block {
    std::unique_ptr<void, decltype(&std::free)> memory;
    std::size_t bytes;
  };
  std::unordered_map<void*, Block> blocks_;
  std::size_t free_bytes_;
  bool refused_ = false, exhausted_ = false;
};

// stb_image has no parameter to carry the arena.
thread_local Arena* current_arena = nullptr;

class UseArena {
 public:
  explicit UseArena(Arena* arena) { current_arena = arena; }
  ~UseArena() { current_arena = nullptr; }
  UseArena(const UseArena&) = delete;
  UseArena& operator=(const UseArena&) = delete;
};

struct AssertionFailed {};

}  // namespace

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS (1 << 16)
#define STBI_MALLOC(bytes) current_arena->allocate(bytes)
#define STBI_REALLOC_SIZED(old, old_bytes, bytes) current_arena->resize(old, old_bytes, bytes)
#define STBI_REALLOC(old, bytes) static_assert(false, "only the sized form is used")
#define STBI_FREE(address) current_arena->release(address)
#define STBI_ASSERT(condition)                 \
  do {                                         \
    if (!(condition)) throw AssertionFailed(); \
  } while (0)
#include <stb/stb_image.h>

namespace gradflip::stb {
namespace {

constexpr std::size_t kHeaderBytes = std::size_t{1} << 20U;  // enough to parse any header

int checked_length(std::span<const std::byte> file) {
  GRADFLIP_REQUIRE(file.size() <= std::numeric_limits<int>::max(),
                   message("stb: a file of ", file.size(), " bytes"));
  return static_cast<int>(file.size());
}

const stbi_uc* data_of(std::span<const std::byte> file) {
  return reinterpret_cast<const stbi_uc*>(file.data());
}

// Some reasons quote bytes of the file, which may hold line breaks or commands for a terminal.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

[[noreturn]] void fail(const Arena& arena) {
  if (arena.exhausted()) throw std::bad_alloc();
  if (arena.refused()) throw DataError("takes more memory than is allowed");
  const char* reason = stbi_failure_reason();
  throw DataError(reason != nullptr ? printable(reason) : "unknown reason");
}

}  // namespace

PictureSize read_size(std::span<const std::byte> file) {
  Arena arena(kHeaderBytes);
  const UseArena use(&arena);
  int width = 0, height = 0, channels = 0;
  try {
    if (stbi_info_from_memory(data_of(file), checked_length(file), &width, &height, &channels) ==
        0) {
      // stb_image tries one format after the other, so its reason is the last one's.
      throw DataError("damaged header, or too many pixels");
    }
  } catch (const AssertionFailed&) {
    throw DataError("inconsistent header");
  }
  return {height, width};
}

std::vector<std::uint8_t> decode_rgb(std::span<const std::byte> file, std::size_t max_bytes) {
  Arena arena(max_bytes);
  const UseArena use(&arena);
  int width = 0, height = 0, channels = 0;
  try {
    const stbi_uc* pixels = stbi_load_from_memory(data_of(file), checked_length(file), &width,
                                                  &height, &channels, STBI_rgb);
    if (pixels == nullptr) fail(arena);
    return {pixels, pixels + std::size_t{3} * static_cast<std::size_t>(width) *
                                 static_cast<std::size_t>(height)};
  } catch (const AssertionFailed&) {
    throw DataError("inconsistent data");
  }
}

}  // namespace gradflip::stb
