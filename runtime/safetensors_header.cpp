#include "runtime/safetensors_header.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "runtime/errors.h"

namespace gradflip {
namespace {

using nlohmann::json;

// In the order of the reference implementation's enumeration.
constexpr std::array<SafetensorsDtype, 16> kDtypes = {{{"BOOL", 1},
                                                       {"U8", 1},
                                                       {"I8", 1},
                                                       {"F8_E5M2", 1},
                                                       {"F8_E4M3", 1},
                                                       {"I16", 2},
                                                       {"U16", 2},
                                                       {"F16", 2},
                                                       {"BF16", 2},
                                                       {"I32", 4},
                                                       {"U32", 4},
                                                       {"F32", 4},
                                                       {"C64", 8},
                                                       {"F64", 8},
                                                       {"I64", 8},
                                                       {"U64", 8}}};

// Events rather than a document, because a document silently keeps one of two equal keys, and a
// hostile header could make it deep. The states below are the whole schema.
class HeaderHandler : public nlohmann::json_sax<json> {
 public:
  SafetensorsHeader take() { return std::move(header_); }

  bool start_object(std::size_t /*size*/) override {
    if (state_ == State::kStart) {
      state_ = State::kTop;
    } else if (state_ == State::kTop) {
      state_ = in_metadata_ ? State::kMetadata : State::kEntry;
      keys_.clear();
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool key(std::string& name) override {
    if (state_ == State::kTop) {
      begin_member(name);
    } else {
      if (!keys_.insert(name).second) {
        fail(fmt::format("the key {} occurs twice in {}", quoted_for_message(name), where()));
      }
      if (state_ == State::kMetadata) {
        limit(keys_.size(), "metadata keys");
        key_ = name;
      } else {
        begin_field(name);
      }
    }
    return true;
  }

  bool end_object() override {
    if (state_ == State::kEntry && keys_.size() != 3) {
      fail(fmt::format("{} lacks dtype, shape or data_offsets", where()));
    }
    state_ = state_ == State::kTop ? State::kEnd : State::kTop;
    return true;
  }

  bool string(std::string& value) override {
    if (state_ == State::kMetadata) {
      header_.metadata.emplace(key_, value);
      return true;
    }
    if (state_ != State::kEntry || field_ != Field::kDtype) unexpected("a string");
    entry().dtype_rank = safetensors_dtype_rank(value);
    if (entry().dtype_rank < 0) {
      fail(fmt::format("{} has the dtype {}, which is not supported", where(),
                       quoted_for_message(value)));
    }
    return true;
  }

  bool start_array(std::size_t /*size*/) override {
    if (state_ != State::kEntry || field_ == Field::kDtype) unexpected("an array");
    state_ = State::kArray;
    offsets_ = 0;
    return true;
  }

  bool number_unsigned(json::number_unsigned_t value) override {
    if (state_ != State::kArray) unexpected("a number");
    if (value > kMaxSafetensorsInteger) {
      fail(fmt::format("{} has the number {}, which is past 2^48", where(), value));
    }
    if (field_ == Field::kShape) {
      if (entry().shape.size() == kMaxSafetensorsRank) {
        fail(fmt::format("{} has more than {} dimensions", where(), kMaxSafetensorsRank));
      }
      entry().shape.push_back(static_cast<std::int64_t>(value));
    } else {
      if (offsets_ == 2) fail(fmt::format("{} has more than two data_offsets", where()));
      (offsets_ == 0 ? entry().begin : entry().end) = value;
      ++offsets_;
    }
    return true;
  }

  bool end_array() override {
    if (field_ == Field::kOffsets && offsets_ != 2) {
      fail(fmt::format("{} has fewer than two data_offsets", where()));
    }
    state_ = State::kEntry;
    return true;
  }

  // "-0" arrives here too: the format writes plain non-negative integers only.
  bool number_integer(json::number_integer_t /*value*/) override {
    unexpected("a negative number");
  }
  bool number_float(json::number_float_t /*value*/, const std::string& /*text*/) override {
    unexpected("a number that is not a 64-bit integer");
  }
  bool null() override { unexpected("null"); }
  bool boolean(bool /*value*/) override { unexpected("a boolean"); }
  bool binary(json::binary_t& /*value*/) override { unexpected("binary data"); }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const json::exception& /*error*/) override {
    fail(fmt::format("not valid JSON at its byte {}", position));
  }

 private:
  enum class State { kStart, kTop, kMetadata, kEntry, kArray, kEnd };
  enum class Field { kDtype, kShape, kOffsets };

  [[noreturn]] static void fail(const std::string& text) {
    throw ModelFileError("safetensors header: " + text);
  }

  [[noreturn]] void unexpected(const char* what) const {
    fail(fmt::format("{} has {} where the format allows none", where(), what));
  }

  static void limit(std::size_t count, const char* what) {
    if (count > kMaxSafetensorsEntries) {
      fail(fmt::format("more than {} {}", kMaxSafetensorsEntries, what));
    }
  }

  std::string where() const {
    if (state_ == State::kStart || state_ == State::kEnd) return "the header";
    if (in_metadata_) return "__metadata__";
    if (header_.entries.empty()) return "the header";
    return "tensor " + quoted_for_message(header_.entries.back().name);
  }

  SafetensorsEntry& entry() { return header_.entries.back(); }

  void begin_member(const std::string& name) {
    if (name.size() > kMaxSafetensorsNameBytes) {
      fail(fmt::format("a tensor's name has {} bytes; at most {} are accepted", name.size(),
                       kMaxSafetensorsNameBytes));
    }
    if (!names_.insert(name).second) {
      fail(fmt::format("the name {} occurs twice", quoted_for_message(name)));
    }
    in_metadata_ = name == "__metadata__";
    if (in_metadata_) return;
    header_.entries.emplace_back().name = name;
    limit(header_.entries.size(), "tensors");
  }

  void begin_field(const std::string& name) {
    if (name == "dtype") {
      field_ = Field::kDtype;
    } else if (name == "shape") {
      field_ = Field::kShape;
    } else if (name == "data_offsets") {
      field_ = Field::kOffsets;
    } else {
      fail(fmt::format("{} has the unknown key {}", where(), quoted_for_message(name)));
    }
  }

  SafetensorsHeader header_;
  State state_ = State::kStart;
  Field field_ = Field::kDtype;
  bool in_metadata_ = false;
  int offsets_ = 0;
  std::string key_;
  std::unordered_set<std::string> names_;  // of all members so far
  std::unordered_set<std::string> keys_;   // of the open member
};

}  // namespace

int safetensors_dtype_rank(std::string_view name) {
  for (std::size_t rank = 0; rank < kDtypes.size(); ++rank) {
    if (kDtypes[rank].name == name) return static_cast<int>(rank);
  }
  return -1;
}

const SafetensorsDtype& safetensors_dtype(int rank) {
  return kDtypes.at(static_cast<std::size_t>(rank));
}

SafetensorsHeader parse_safetensors_header(std::string_view text) {
  if (text.empty() || text.front() != '{') {
    throw ModelFileError("safetensors header: it does not begin with '{'");
  }
  // The JSON reader takes a zero byte for the end of the text and would not look at what follows.
  if (text.find('\0') != std::string_view::npos) {
    throw ModelFileError("safetensors header: it contains a zero byte");
  }
  HeaderHandler handler;
  json::sax_parse(text.begin(), text.end(), &handler);
  return handler.take();
}

std::string quoted_for_message(const std::string& name) {
  constexpr std::size_t kLongest = 80;
  std::string text =
      json(name).dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
  if (text.size() > kLongest) text.replace(kLongest, std::string::npos, "...\"");
  return text;
}

}  // namespace gradflip
