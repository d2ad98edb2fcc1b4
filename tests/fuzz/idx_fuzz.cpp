// Whatever the bytes are: DataError on one line, or an array that holds what it announces and,
// written plainly, is read as the same.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "apps/common/data/idx.h"
#include "runtime/errors.h"

namespace {

constexpr std::uint64_t kMaxValues = 1U << 20U;

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gradflip::IdxArray array;
  try {
    array = gradflip::parse_idx(std::as_bytes(std::span(data, size)), "input", kMaxValues);
  } catch (const gradflip::DataError& error) {
    require(std::string(error.what()).find('\n') == std::string::npos);
    return 0;
  }
  std::uint64_t count = 1;
  for (const std::int64_t length : array.sizes) count *= static_cast<std::uint64_t>(length);
  require(array.values.size() == count && count <= kMaxValues);

  std::vector<std::byte> file = gradflip::idx_header(array.sizes);
  const auto values = std::as_bytes(std::span(array.values));
  file.insert(file.end(), values.begin(), values.end());
  const gradflip::IdxArray again = gradflip::parse_idx(file, "again", kMaxValues);
  require(again.sizes == array.sizes && again.values == array.values);
  return 0;
}
