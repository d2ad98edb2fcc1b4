// Whatever the bytes are: ModelFileError, or contents that own every byte once and survive being
// written and read.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "runtime/errors.h"
#include "runtime/safetensors.h"

namespace gradflip {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check(std::span<const std::byte> file) {
  Safetensors first;
  try {
    first = parse_safetensors(file);
  } catch (const ModelFileError& error) {
    require(std::string(error.what()).find('\n') == std::string::npos);
    return;
  }
  const std::vector<std::byte> again = format_safetensors(first.tensors, first.metadata);
  const Safetensors second = parse_safetensors(again);
  require(second.metadata == first.metadata);
  require(second.tensors.size() == first.tensors.size());
  for (const auto& [name, tensor] : first.tensors) {
    const SafetensorsTensor& copy = second.tensors.at(name);
    require(copy.dtype == tensor.dtype && copy.shape == tensor.shape);
    require(
        std::equal(copy.bytes.begin(), copy.bytes.end(), tensor.bytes.begin(), tensor.bytes.end()));
  }
}

}  // namespace
}  // namespace gradflip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  gradflip::check(input);

  // Mutations rarely keep the length of the header right, so the same input is tried as one byte of
  // buffer size followed by the header.
  if (size > 0) {
    const std::size_t header_bytes = size - 1;
    std::vector<std::byte> framed;
    for (unsigned byte = 0; byte < 8; ++byte) {
      framed.push_back(static_cast<std::byte>(std::uint64_t{header_bytes} >> (8 * byte)));
    }
    framed.insert(framed.end(), input.begin() + 1, input.end());
    framed.resize(framed.size() + data[0]);
    gradflip::check(framed);
  }
  return 0;
}
