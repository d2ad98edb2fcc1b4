#include "apps/common/data/jpeg_check.h"

#include "runtime/errors.h"

namespace gradflip {
namespace {

constexpr unsigned kHuffmanTables = 0xc4, kStartOfScan = 0xda;
constexpr std::size_t kMaxCodes = 256, kMaxCodeLength = 16;
constexpr int kMaxScans = 100;  // progressive encoders make about ten

class Checker {
 public:
  explicit Checker(std::span<const std::byte> file) : file_(file) {}

  void run() {
    std::size_t at = check_header();
    for (int scans = 0; at + 1 < file_.size(); ++at) {
      if (byte(at) != 0xff) continue;
      if (byte(at + 1) == kHuffmanTables) check_tables(at + 2);
      if (byte(at + 1) == kStartOfScan && ++scans > kMaxScans) {
        throw DataError("more scans than any encoder makes");
      }
    }
  }

 private:
  unsigned byte(std::size_t at) const { return std::to_integer<unsigned>(file_[at]); }

  std::size_t length_at(std::size_t at) const {
    if (at + 2 > file_.size()) throw DataError("a segment is cut off");
    const std::size_t length = byte(at) << 8U | byte(at + 1);
    if (length < 2) throw DataError("a segment is shorter than its own length");
    return length;
  }

  // Walks from segment to segment as the decoder does, checks tables, and returns where the first
  // scan starts, or the end of the file.
  std::size_t check_header() const {
    std::size_t at = 2;
    while (at + 1 < file_.size()) {
      const unsigned marker = byte(at + 1);
      if (byte(at) != 0xff || marker == 0xff) {
        ++at;
        continue;
      }
      if (marker == kStartOfScan) return at;
      if (marker == kHuffmanTables) check_tables(at + 2);
      at += 2 + length_at(at + 2);
    }
    return at;
  }

  void check_tables(std::size_t start) const {
    const std::size_t end = start + length_at(start);
    if (end > file_.size()) throw DataError("Huffman tables are cut off");
    for (std::size_t at = start + 2; at < end;) {
      if (at + 1 + kMaxCodeLength > end) throw DataError("a Huffman table is cut off");
      const unsigned id = byte(at);
      if ((id & 15U) > 3 || id >> 4U > 1) throw DataError("unknown id of a Huffman table");
      std::size_t codes = 0, used = 0;  // used: of the 2^length codes of this length
      for (std::size_t bits = 1; bits <= kMaxCodeLength; ++bits) {
        const unsigned count = byte(at + bits);
        codes += count;
        used = 2 * used + count;
        if (used > std::size_t{1} << bits) throw DataError("an over-full Huffman table");
      }
      if (codes > kMaxCodes) throw DataError("a Huffman table with more than 256 codes");
      at += 1 + kMaxCodeLength + codes;
      if (at > end) throw DataError("a Huffman table is cut off");
    }
  }

  std::span<const std::byte> file_;
};

}  // namespace

void check_jpeg(std::span<const std::byte> file) { Checker(file).run(); }

}  // namespace gradflip
