#include "runtime/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>

#include "kernels/require.h"
#include "runtime/atomic_file.h"
#include "runtime/errors.h"
#include "runtime/safetensors_header.h"

namespace gradflip {
namespace {

constexpr std::size_t kLengthBytes = 8;

std::uint64_t load_length(std::span<const std::byte> file) {
  std::uint64_t length = 0;
  for (std::size_t byte = kLengthBytes; byte-- > 0;) {
    length = length << 8U | std::to_integer<std::uint64_t>(file[byte]);
  }
  return length;
}

// Empty if the product does not fit.
std::optional<std::uint64_t> bytes_of_shape(const std::vector<std::int64_t>& shape,
                                            std::uint64_t element_bytes) {
  std::uint64_t product = element_bytes;
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(product, static_cast<std::uint64_t>(extent), &product)) return {};
  }
  return product;
}

// The entries must tile [0, buffer_bytes): a hole could hide another file, an overlap multiplies
// the memory that a small file asks for. Entries without elements may share an offset.
void require_tiling(std::vector<SafetensorsEntry>* entries, std::uint64_t buffer_bytes) {
  std::sort(entries->begin(), entries->end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t position = 0;
  for (const SafetensorsEntry& entry : *entries) {
    const std::string name = quoted_for_message(entry.name);
    if (entry.begin > entry.end) {
      throw ModelFileError(
          fmt::format("safetensors: tensor {} ends at byte {}, before it begins", name, entry.end));
    }
    if (entry.begin != position) {
      throw ModelFileError(fmt::format("safetensors: tensor {} begins at byte {}, expected {} ({})",
                                       name, entry.begin, position,
                                       entry.begin < position ? "overlap" : "hole"));
    }
    if (entry.end > buffer_bytes) {
      throw ModelFileError(fmt::format("safetensors: tensor {} ends at byte {}, the data has {}",
                                       name, entry.end, buffer_bytes));
    }
    const auto need = bytes_of_shape(entry.shape, safetensors_dtype(entry.dtype_rank).bytes);
    if (!need) throw ModelFileError(fmt::format("safetensors: tensor {} is too large", name));
    if (*need != entry.end - entry.begin) {
      throw ModelFileError(fmt::format("safetensors: tensor {} has {} bytes, its shape needs {}",
                                       name, entry.end - entry.begin, *need));
    }
    position = entry.end;
  }
  if (position != buffer_bytes) {
    throw ModelFileError(fmt::format("safetensors: {} bytes after the last tensor belong to none",
                                     buffer_bytes - position));
  }
}

void require_writable(const std::string& name, const SafetensorsTensor& tensor) {
  const std::string quoted = quoted_for_message(name);
  const int rank = safetensors_dtype_rank(tensor.dtype);
  GRADFLIP_REQUIRE(name != "__metadata__", "safetensors: a tensor is called __metadata__");
  GRADFLIP_REQUIRE(name.size() <= kMaxSafetensorsNameBytes,
                   message("safetensors: the name ", quoted, " is too long"));
  GRADFLIP_REQUIRE(rank >= 0,
                   message("safetensors: tensor ", quoted, " has the dtype ",
                           quoted_for_message(tensor.dtype), ", which is not supported"));
  GRADFLIP_REQUIRE(tensor.shape.size() <= kMaxSafetensorsRank,
                   message("safetensors: tensor ", quoted, " has ", tensor.shape.size(),
                           " dimensions, at most ", kMaxSafetensorsRank, " are allowed"));
  for (const std::int64_t extent : tensor.shape) {
    GRADFLIP_REQUIRE(extent >= 0 && static_cast<std::uint64_t>(extent) <= kMaxSafetensorsInteger,
                     message("safetensors: tensor ", quoted, " has the extent ", extent));
  }
  const auto need = bytes_of_shape(tensor.shape, safetensors_dtype(rank).bytes);
  GRADFLIP_REQUIRE(need && *need == tensor.bytes.size(),
                   message("safetensors: tensor ", quoted, " has ", tensor.bytes.size(),
                           " bytes, its shape needs ",
                           need ? std::to_string(*need) : std::string("more than 2^64")));
}

// A JSON string; std::invalid_argument unless it is valid UTF-8.
std::string json_string(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::type_error&) {
    throw std::invalid_argument("safetensors: the text " + quoted_for_message(text) +
                                " is not valid UTF-8");
  }
}

using NamedEntry = SafetensorsTensors::value_type;

std::string format_header(const std::vector<const NamedEntry*>& tensors,
                          const SafetensorsMetadata& metadata) {
  std::string text = "{";
  const auto separate = [&text] {
    if (text.back() != '{') text += ',';
  };
  if (!metadata.empty()) {
    text += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      separate();
      text += json_string(key) + ':' + json_string(value);
    }
    text += '}';
  }
  std::uint64_t position = 0;
  for (const NamedEntry* named : tensors) {
    const auto& [name, tensor] = *named;
    const std::uint64_t end = position + tensor.bytes.size();
    separate();
    text +=
        fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", json_string(name),
                    tensor.dtype, fmt::join(tensor.shape, ","), position, end);
    position = end;
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

Safetensors parse_safetensors(std::span<const std::byte> file) {
  if (file.size() < kLengthBytes) {
    throw ModelFileError(
        fmt::format("safetensors: the file has {} bytes, its header's length "
                    "alone needs 8",
                    file.size()));
  }
  const std::uint64_t header_bytes = load_length(file);
  if (header_bytes > kMaxSafetensorsHeaderBytes) {
    throw ModelFileError(
        fmt::format("safetensors: the header is said to have {} bytes, at most {} "
                    "are accepted",
                    header_bytes, kMaxSafetensorsHeaderBytes));
  }
  if (header_bytes > file.size() - kLengthBytes) {
    throw ModelFileError(
        fmt::format("safetensors: the header is said to have {} bytes, the file "
                    "ends after {}",
                    header_bytes, file.size() - kLengthBytes));
  }
  const auto text = file.subspan(kLengthBytes, static_cast<std::size_t>(header_bytes));
  const auto buffer = file.subspan(kLengthBytes + text.size());

  SafetensorsHeader header =
      parse_safetensors_header({reinterpret_cast<const char*>(text.data()), text.size()});
  require_tiling(&header.entries, buffer.size());

  Safetensors content;
  content.metadata = std::move(header.metadata);
  for (SafetensorsEntry& entry : header.entries) {
    const auto bytes = buffer.subspan(static_cast<std::size_t>(entry.begin),
                                      static_cast<std::size_t>(entry.end - entry.begin));
    content.tensors.emplace(std::move(entry.name),
                            SafetensorsTensor{std::string(safetensors_dtype(entry.dtype_rank).name),
                                              std::move(entry.shape), bytes});
  }
  return content;
}

std::vector<std::byte> format_safetensors(const SafetensorsTensors& tensors,
                                          const SafetensorsMetadata& metadata) {
  GRADFLIP_REQUIRE(
      tensors.size() <= kMaxSafetensorsEntries && metadata.size() <= kMaxSafetensorsEntries,
      message("safetensors: more than ", kMaxSafetensorsEntries, " tensors or metadata keys"));
  std::vector<const NamedEntry*> order;
  for (const NamedEntry& named : tensors) {
    require_writable(named.first, named.second);
    order.push_back(&named);
  }
  // Stable: the map has them by name already.
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return safetensors_dtype_rank(a->second.dtype) > safetensors_dtype_rank(b->second.dtype);
  });

  const std::string header = format_header(order, metadata);
  GRADFLIP_REQUIRE(header.size() <= kMaxSafetensorsHeaderBytes,
                   message("safetensors: the header would have ", header.size(), " bytes"));
  std::vector<std::byte> file;
  for (std::size_t byte = 0; byte < kLengthBytes; ++byte) {
    file.push_back(static_cast<std::byte>(header.size() >> (8 * byte)));
  }
  const auto append = [&file](std::span<const std::byte> bytes) {
    file.insert(file.end(), bytes.begin(), bytes.end());
  };
  append(std::as_bytes(std::span(header)));
  for (const NamedEntry* named : order) append(named->second.bytes);
  return file;
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  SafetensorsFile file;
  file.bytes = read_file(path, kMaxSafetensorsFileBytes);
  try {
    file.content = parse_safetensors(file.bytes);
  } catch (const ModelFileError& error) {
    throw ModelFileError(fmt::format("{}: {}; the file is damaged or something else, get it again",
                                     path.string(), error.what()));
  }
  return file;
}

void write_safetensors(const std::filesystem::path& path, const SafetensorsTensors& tensors,
                       const SafetensorsMetadata& metadata) {
  const std::vector<std::byte> file = format_safetensors(tensors, metadata);
  GRADFLIP_REQUIRE(file.size() <= kMaxSafetensorsFileBytes,
                   message("safetensors: the file would have ", file.size(), " bytes"));
  write_file_atomically(path, file);
}

}  // namespace gradflip
