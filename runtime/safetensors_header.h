// The JSON header of a safetensors file: its syntax, schema and limits. Whether the tensors fit the
// rest of the file is safetensors.cpp's business.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/safetensors.h"

namespace gradflip {

struct SafetensorsDtype {
  std::string_view name;
  std::uint64_t bytes;  // of one element
};

// The format's place in the reference implementation's order of increasing alignment, which decides
// the order of a file's tensors; -1 for a name that is not a supported dtype.
int safetensors_dtype_rank(std::string_view name);
const SafetensorsDtype& safetensors_dtype(int rank);

struct SafetensorsEntry {
  std::string name;
  int dtype_rank = -1;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes after the header
};

struct SafetensorsHeader {
  SafetensorsMetadata metadata;
  std::vector<SafetensorsEntry> entries;  // in the order of the text, names unique
};

// Throws ModelFileError.
SafetensorsHeader parse_safetensors_header(std::string_view text);

// `name` in quotes, with everything but printable ASCII escaped, cut if long: fit for a message of
// one line.
std::string quoted_for_message(const std::string& name);

}  // namespace gradflip
